#pragma once

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "spec/support/child_process.h"

namespace rocket::spec {

// The test's own RabbitMQ server, which the test may kill and start again. Starting takes seconds.
class RabbitMqServer {
 public:
  // `tls_folder` is the folder of certificate.pem and key.pem. If it is given, the server also speaks TLS, as
  // localhost. Returns when the server runs. Throws std::runtime_error.
  explicit RabbitMqServer(std::string tls_folder = {});
  ~RabbitMqServer();
  RabbitMqServer(const RabbitMqServer&) = delete;
  RabbitMqServer& operator=(const RabbitMqServer&) = delete;

  std::uint16_t port() const { return port_; }
  // A value for JOB_QUEUE. `login` is a prefix such as "user:password@".
  std::string url(const std::string& login = {}) const;
  std::string tls_url() const { return "amqps://localhost:" + std::to_string(tls_port_); }

  // Returns when the server accepts connections, on the same ports as before.
  void start();
  void kill();
  // The process stays, but neither reads nor answers until resume() is called.
  void pause() const { process_->kill(SIGSTOP); }
  void resume() const { process_->kill(SIGCONT); }

  // Writes the list of quorum queues to disk now. RabbitMQ does that by itself only some seconds later; if it
  // is killed before, the queue stays unusable for ever.
  void note_queues() const { evaluate("[dets:sync(Table) || Table <- dets:all()]"); }

  // Evaluates these Erlang expressions in the server, on one line. If the result is {ok,...}, returns the
  // text in place of the dots. Otherwise throws std::runtime_error.
  std::string evaluate(const std::string& expressions) const;
  // Raises a memory alarm: RabbitMQ behaves as if it were short of memory until end_alarm(). The call of
  // get_alarms() waits until all connections have been told of the alarm.
  void begin_alarm() const {
    evaluate("rabbit_alarm:set_alarm({" + kAlarm + ", []}), rabbit_alarm:get_alarms()");
  }
  void end_alarm() const { evaluate("rabbit_alarm:clear_alarm(" + kAlarm + ")"); }

  // Its log from level warning up.
  std::string output() const;

  struct Message {
    std::string id;
    std::string type;
    std::string content_type;
    std::uint64_t timestamp = 0;
    int delivery_mode = 0;
    std::string body;
    // The header of this name; empty if there is none.
    std::string traceparent{};
  };
  // Removes all messages from a queue, and returns them in the order of the queue.
  std::vector<Message> take_all(const std::string& queue = "default") const;
  // Like take_all(), but returns only the ids.
  std::vector<std::string> take_ids(const std::string& queue = "default") const;
  std::size_t count(const std::string& queue = "default") const;
  void delete_queue(const std::string& queue = "default") const;

 private:
  inline static const std::string kAlarm = "{resource_limit, memory, node()}";

  bool try_to_start();
  void write_configuration() const;

  std::filesystem::path directory_;
  std::string tls_folder_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  // The ports of the Erlang node and of its port mapper.
  std::uint16_t node_port_ = 0;
  std::uint16_t mapper_port_ = 0;
  std::optional<ChildProcess> mapper_;
  std::optional<ChildProcess> process_;
};

}  // namespace rocket::spec
