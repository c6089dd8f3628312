#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "completer/completer.h"
#include "spec/support/requests.h"
#include "spec/support/scripted_gateway.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// A completer in this process, on connections of its own.
class CompleterRig {
 public:
  CompleterRig(const TestDatabase& database, ScriptedGateway& gateway,
               completer::AbandonmentPolicy policy = {}, std::int64_t batch = 1000);
  // By another way to the database, on one connection.
  CompleterRig(const std::string& database_url, ScriptedGateway& gateway);

  std::int64_t run_once() { return completer_.run_once(stop_); }
  // What it does in the end.
  std::size_t release_leases();

 private:
  CompleterRig(const std::string& database_url, std::size_t lanes, ScriptedGateway& gateway,
               completer::AbandonmentPolicy policy, std::int64_t batch);

  process::StopSignal stop_;
  Log log_;
  endpoints::Endpoints endpoints_;
  idempotency::Engine engine_;
  pg::Lanes lanes_;
  completer::Completer completer_;
};

// What a process leaves behind that died some time ago at a recovery point. By default so long ago that no
// grace and no pause is left, but not so long that a charge could not be repeated.
struct Abandoned {
  std::string recovery_point = "started";
  std::string age = "2 hours";
  std::string path = "/rides";
  std::string params = R"({"origin_lat": 1.5, "origin_lon": 2, "target_lat": 3, "target_lon": 4})";
  std::string user = kUser;
};

// Its idempotency key.
std::string abandon(TestDatabase& database, const Abandoned& request = {});

// So much time passes for this key, by the database's clock.
void let_pass(TestDatabase& database, const std::string& key, const std::string& interval);

// Someone holds the key, since so long.
void hold(TestDatabase& database, const std::string& key, const std::string& since);

bool is_finished(TestDatabase& database, const std::string& key);

}  // namespace rocket::spec
