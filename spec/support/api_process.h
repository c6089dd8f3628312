#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "spec/support/child_process.h"
#include "spec/support/http_client.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// The limit of open files (RLIMIT_NOFILE) for a process.
struct OpenFiles {
  int limit = 0;
};

// What an api needs in addition to listen where other machines can reach it.
inline const Environment kInPublic{{"API_HOSTS", "*"}};

// The api, listening on a free port of 127.0.0.1. It may be in danger, unless API_ALLOW_UNSAFE is given.
// Callers have no limits but those that are given, because specs send many requests as one user.
class ApiProcess {
 public:
  // Returns once the api listens. It may not have reached its database yet.
  explicit ApiProcess(const TestDatabase& database, const Environment& environment = {},
                      const std::vector<std::string>& flags = {});
  // The same with another URL of the database, for example that of a proxy.
  ApiProcess(const std::string& database_url, const Environment& environment,
             const std::vector<std::string>& flags = {});
  ApiProcess(const TestDatabase& database, const Environment& environment, OpenFiles files);

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  ChildProcess& process() { return process_; }

  HttpConnection connect() const { return HttpConnection(port_); }
  // Uses a new connection.
  ClientResponse send(const ClientRequest& request) const { return exchange(port_, request); }

 private:
  std::uint16_t port_of_its_log() const;

  ChildProcess process_;
  std::uint16_t port_ = 0;
};

}  // namespace rocket::spec
