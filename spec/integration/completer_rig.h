#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "completer/completer.h"
#include "completer/completion_metrics.h"
#include "rocket/metrics/registry.h"
#include "spec/support/requests.h"
#include "spec/support/scripted_gateway.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// A completer in this process, with its own connections.
class CompleterRig {
 public:
  CompleterRig(const TestDatabase& database, ScriptedGateway& gateway,
               completer::AbandonmentPolicy policy = {}, std::int64_t batch = 1000);
  // With another URL of the database and only one connection.
  CompleterRig(const std::string& database_url, ScriptedGateway& gateway);

  std::int64_t run_once() { return completer_.run_once(stop_); }
  // Does what the completer does when it stops.
  std::size_t release_leases();

 private:
  CompleterRig(const std::string& database_url, std::size_t lanes, ScriptedGateway& gateway,
               completer::AbandonmentPolicy policy, std::int64_t batch);

  process::StopSignal stop_;
  Log log_;
  endpoints::Endpoints endpoints_;
  idempotency::Engine engine_;
  metrics::Registry registry_{"completer", log_};
  completer::CompletionMetrics completions_{registry_};
  pg::Lanes lanes_;
  completer::Completer completer_;
};

// What a process has left that died at a recovery point. By default that was so long ago that no grace and no
// pause is left, but a charge may still be repeated.
struct Abandoned {
  std::string recovery_point = "started";
  std::string age = "2 hours";
  std::string path = "/rides";
  std::string params = R"({"origin_lat": 1.5, "origin_lon": 2, "target_lat": 3, "target_lon": 4})";
  std::string user = kUser;
};

// Stores such a key, and returns its idempotency key.
std::string abandon(TestDatabase& database, const Abandoned& request = {});

// Ages this key by the interval, by the database's clock.
void let_pass(TestDatabase& database, const std::string& key, const std::string& interval);

// Gives the key a lease that is as old as `since`.
void hold(TestDatabase& database, const std::string& key, const std::string& since);

bool is_finished(TestDatabase& database, const std::string& key);

}  // namespace rocket::spec
