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

// A Redis of the test's own, which it may kill and start again. It writes down what it acknowledges, so that
// this survives its kill.
class RedisServer {
 public:
  // `tls_folder`: where certificate.pem and key.pem are; it speaks nothing but TLS then, and only as
  // localhost. Running when it returns; throws std::runtime_error.
  explicit RedisServer(std::string tls_folder = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::uint16_t port() const { return port_; }
  // For JOB_QUEUE; `login` such as "user:password@".
  std::string url(const std::string& login = {}) const;

  // Returns when it accepts connections, on the same port as before.
  void start();
  void kill();
  // It goes on, but neither reads nor answers until it is told to.
  void pause() const { process_->kill(SIGSTOP); }
  void resume() const { process_->kill(SIGCONT); }
  // From now on nobody gets in without.
  void require_password(const std::string& password);

  // A reply as text, lists as one line each; errors too.
  std::string ask(const std::vector<std::string>& command) const;
  // What was pushed to a queue, in the order in which workers would take it.
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
