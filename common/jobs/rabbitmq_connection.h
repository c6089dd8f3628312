#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "rocket/jobs/amqp_frames.h"
#include "rocket/jobs/broker_stream.h"
#include "rocket/jobs/confirms.h"
#include "rocket/jobs/job_queue.h"
#include "rocket/jobs/rabbitmq_address.h"

namespace rocket::jobs {

// RabbitMQ is short of memory or disk, and takes no messages for now. The connection is still good: on it,
// RabbitMQ will say when it takes messages again.
class RabbitMqBlocked : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One connection to a RabbitMQ, with one channel whose messages are confirmed. Calls block; not thread safe.
// Each throws std::runtime_error when RabbitMQ refuses, is late, or has gone. After that, throw the
// connection away, unless the error was RabbitMqBlocked.
class RabbitMqConnection {
 public:
  using Deadline = BrokerStream::Deadline;

  // Connects and logs in. The connection counts as dead after about two heartbeats in which nothing came.
  RabbitMqConnection(const RabbitMqAddress& address, const std::string& ca_file,
                     std::chrono::seconds heartbeat, Deadline deadline);

  // Returns if the queue exists, and throws otherwise.
  void find_queue(const std::string& name, Deadline deadline);
  // Makes a durable quorum queue. Does nothing if the same queue exists already.
  void create_queue(const std::string& name, Deadline deadline);

  // Publishes all jobs and returns once each is confirmed or refused. `confirms` has the result, also after
  // an exception.
  void publish(const std::string& queue, const std::vector<const Job*>& jobs, Confirms& confirms,
               Deadline deadline);

  // Call it now and then between other calls. It tells the broker that we live, and finds out whether the
  // broker does.
  void keep_alive();
  // Tells the broker that we are done.
  void close() noexcept;

 private:
  void log_in(const RabbitMqAddress& address);
  void add_message(const std::string& queue, const Job& job);
  void send(Deadline deadline);
  // Sends a method and returns when its answer is there. `fields` are those of the method.
  template <typename Fields>
  void call(amqp_channel_t channel, amqp_method_number_t method, Fields fields, amqp_method_number_t answer,
            Deadline deadline);
  const amqp_frame_t& wait_for(amqp_method_number_t method, Deadline deadline);
  const amqp_frame_t& next_frame(Deadline deadline);
  // Reads everything that has come already.
  void read_at_once(Confirms* confirms);
  // Handles a frame that the broker sends unasked. Returns false if it is an answer. `confirms` may be
  // nullptr.
  bool take(const amqp_frame_t& frame, Confirms* confirms);

  BrokerStream stream_;
  std::chrono::seconds heartbeat_;
  std::size_t max_frame_bytes_ = AmqpFrames::kMaxFrameBytes;
  AmqpReader reader_;
  std::array<char, 16384> received_{};
  AmqpFrames frames_;
  std::uint64_t published_ = 0;
  // Why RabbitMQ takes no messages now; empty while it takes them.
  std::optional<std::string> blocked_;
  std::chrono::steady_clock::time_point last_sent_;
  std::chrono::steady_clock::time_point last_received_;
};

}  // namespace rocket::jobs
