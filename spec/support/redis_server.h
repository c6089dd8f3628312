#pragma once

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "spec/support/child_process.h"

namespace rocket::spec {

// The test's own Redis server, which the test may kill and start again. It writes to disk what it
// acknowledges, so that acknowledged data survive a kill.
class RedisServer {
 public:
  // `tls_folder` is the folder of certificate.pem and key.pem. If it is given, the server speaks only TLS, as
  // localhost. Returns when the server runs. Throws std::runtime_error.
  explicit RedisServer(std::string tls_folder = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::uint16_t port() const { return port_; }
  // A value for JOB_QUEUE. `login` is a prefix such as "user:password@".
  std::string url(const std::string& login = {}) const;

  // Returns when the server accepts connections, on the same port as before.
  void start();
  void kill();
  // The process stays, but neither reads nor answers until resume() is called.
  void pause() const { process_->kill(SIGSTOP); }
  void resume() const { process_->kill(SIGCONT); }
  // From now on clients need this password.
  void require_password(const std::string& password);

  // The reply, or the error, as text. A list has one line for each element.
  std::string ask(const std::vector<std::string>& command) const;
  // The jobs in a queue, in the order in which workers would take them.
  std::vector<nlohmann::json> jobs(const std::string& queue = "default", int database = 0) const;

 private:
  bool try_to_start();

  std::filesystem::path directory_;
  std::string tls_folder_;
  std::uint16_t port_ = 0;
  std::string password_;
  std::optional<ChildProcess> process_;
};

}  // namespace rocket::spec
