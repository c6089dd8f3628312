#include "spec/support/redis_server.h"

#include <hiredis/hiredis.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace rocket::spec {
namespace {

using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

class Client {
 public:
  explicit Client(const std::string& socket) : context_(redisConnectUnix(socket.c_str()), redisFree) {
    if (!context_ || context_->err != 0) throw std::runtime_error("no connection to Redis");
  }

  std::string ask(const std::vector<std::string>& command) {
    std::vector<const char*> words;
    std::vector<std::size_t> sizes;
    for (const std::string& word : command) {
      words.push_back(word.data());
      sizes.push_back(word.size());
    }
    const Reply reply(static_cast<redisReply*>(redisCommandArgv(
                          context_.get(), static_cast<int>(words.size()), words.data(), sizes.data())),
                      freeReplyObject);
    if (!reply) throw std::runtime_error(std::string("no answer from Redis: ") + context_->errstr);
    return text_of(*reply);
  }

 private:
  static std::string text_of(const redisReply& reply) {
    if (reply.type == REDIS_REPLY_INTEGER) return std::to_string(reply.integer);
    if (reply.type != REDIS_REPLY_ARRAY) return std::string(reply.str == nullptr ? "" : reply.str, reply.len);
    std::string lines;
    for (std::size_t i = 0; i < reply.elements; ++i) lines += text_of(*reply.element[i]) + '\n';
    return lines;
  }

  std::unique_ptr<redisContext, decltype(&redisFree)> context_;
};

}  // namespace

RedisServer::RedisServer(std::string tls_folder) : tls_folder_(std::move(tls_folder)) {
  std::string directory = (std::filesystem::temp_directory_path() / "rocket_redis_XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) throw std::runtime_error("cannot make " + directory);
  directory_ = directory;
  // Below the range of ports that the kernel gives to sockets that ask for any port, so that this port is
  // still free after a kill.
  std::uniform_int_distribution<std::uint16_t> any_port(20'000, 32'000);
  std::random_device random;
  for (int i = 0; i < 20; ++i) {
    port_ = any_port(random);
    if (try_to_start()) return;
  }
  const std::string output = process_->output();
  std::filesystem::remove_all(directory_);
  throw std::runtime_error("redis-server does not start:\n" + output);
}

RedisServer::~RedisServer() {
  process_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string RedisServer::url(const std::string& login) const {
  return (tls_folder_.empty() ? "redis://" + login + "127.0.0.1:" : "rediss://" + login + "localhost:") +
         std::to_string(port_);
}

void RedisServer::start() {
  if (!try_to_start()) throw std::runtime_error("redis-server does not start:\n" + process_->output());
}

bool RedisServer::try_to_start() {
  const std::string port = std::to_string(port_);
  std::vector<std::string> flags{"--bind",           "127.0.0.1", "--unixsocket", directory_ / "socket",
                                 "--unixsocketperm", "700",       "--dir",        directory_,
                                 "--save",           "",          "--appendonly", "yes",
                                 "--appendfsync",    "no"};
  if (tls_folder_.empty()) {
    flags.insert(flags.end(), {"--port", port});
  } else {
    flags.insert(flags.end(),
                 {"--port", "0", "--tls-port", port, "--tls-auth-clients", "no", "--tls-cert-file",
                  tls_folder_ + "/certificate.pem", "--tls-key-file", tls_folder_ + "/key.pem"});
  }
  if (!password_.empty()) flags.insert(flags.end(), {"--requirepass", password_});
  process_.emplace("/usr/bin/redis-server", Environment{}, flags);
  try {
    process_->wait_for_line("Ready to accept connections");
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

void RedisServer::kill() {
  process_->kill(SIGKILL);
  process_->wait_for_exit();
}

void RedisServer::require_password(const std::string& password) {
  ask({"CONFIG", "SET", "requirepass", password});
  password_ = password;
}

std::string RedisServer::ask(const std::vector<std::string>& command) const {
  Client client(directory_ / "socket");
  if (!password_.empty()) client.ask({"AUTH", password_});
  return client.ask(command);
}

std::vector<nlohmann::json> RedisServer::jobs(const std::string& queue, int database) const {
  Client client(directory_ / "socket");
  if (!password_.empty()) client.ask({"AUTH", password_});
  client.ask({"SELECT", std::to_string(database)});
  std::istringstream lines(client.ask({"LRANGE", "queue:" + queue, "0", "-1"}));
  std::vector<nlohmann::json> jobs;
  for (std::string line; std::getline(lines, line);) jobs.push_back(nlohmann::json::parse(line));
  // Jobs are pushed on the left and taken from the right.
  return {jobs.rbegin(), jobs.rend()};
}

}  // namespace rocket::spec
