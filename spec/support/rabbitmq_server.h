#pragma once

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "spec/support/child_process.h"

namespace rocket::spec {

// A RabbitMQ of the test's own, which it may kill and start again. It takes seconds to start.
class RabbitMqServer {
 public:
  // `tls_folder`: where certificate.pem and key.pem are; it then speaks TLS too, as localhost. Running when
  // it returns; throws std::runtime_error.
  explicit RabbitMqServer(std::string tls_folder = {});
  ~RabbitMqServer();
  RabbitMqServer(const RabbitMqServer&) = delete;
  RabbitMqServer& operator=(const RabbitMqServer&) = delete;

  std::uint16_t port() const { return port_; }
  // For JOB_QUEUE; `login` such as "user:password@".
  std::string url(const std::string& login = {}) const;
  std::string tls_url() const { return "amqps://localhost:" + std::to_string(tls_port_); }

  // Returns when it accepts connections, on the same ports as before.
  void start();
  void kill();
  // It goes on, but neither reads nor answers until it is told to.
  void pause() const { process_->kill(SIGSTOP); }
  void resume() const { process_->kill(SIGCONT); }

  // RabbitMQ notes some seconds later which quorum queues there are; one that it was killed before is
  // unusable for ever after. Now it notes it at once.
  void note_queues() const { evaluate("[dets:sync(Table) || Table <- dets:all()]"); }

  // What Erlang says to these expressions of its own, on one line. Throws std::runtime_error where that is
  // not {ok,...}, and returns what is in the place of the dots.
  std::string evaluate(const std::string& expressions) const;
  // What makes an alarm: RabbitMQ behaves as if it was short of memory until it ends. Asking for the alarms
  // waits until all connections have been told of it.
  void begin_alarm() const {
    evaluate("rabbit_alarm:set_alarm({" + kAlarm + ", []}), rabbit_alarm:get_alarms()");
  }
  void end_alarm() const { evaluate("rabbit_alarm:clear_alarm(" + kAlarm + ")"); }

  // Its log, warnings and worse.
  std::string output() const;

  struct Message {
    std::string id;
    std::string type;
    std::string content_type;
    std::uint64_t timestamp = 0;
    int delivery_mode = 0;
    std::string body;
  };
  // Takes all that is in a queue out of it, first the first.
  std::vector<Message> take_all(const std::string& queue = "default") const;
  // The ids of those.
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
  // Of Erlang, and of its port mapper.
  std::uint16_t node_port_ = 0;
  std::uint16_t mapper_port_ = 0;
  std::optional<ChildProcess> mapper_;
  std::optional<ChildProcess> process_;
};

}  // namespace rocket::spec
