#include "rocket/jobs/rabbitmq_queue.h"

#include <cstddef>
#include <stdexcept>

namespace rocket::jobs {

using std::chrono::steady_clock;

RabbitMqQueue::~RabbitMqQueue() {
  if (connection_) connection_->close();
}

void RabbitMqQueue::push(std::span<const Job> jobs) {
  std::vector<const Job*> due;
  std::set<std::string> taken;
  for (const Job& job : jobs) {
    if (taken_.contains(job.id)) {
      taken.insert(job.id);
    } else {
      due.push_back(&job);
    }
  }
  Confirms confirms;
  const std::optional<std::string> problem = publish(due, confirms);
  if (!problem) {
    taken_.clear();
    return;
  }
  for (std::size_t i = 0; i < due.size(); ++i) {
    if (confirms.has_taken(i)) taken.insert(due[i]->id);
  }
  taken_ = std::move(taken);
  throw named(*problem);
}

std::optional<std::string> RabbitMqQueue::publish(const std::vector<const Job*>& jobs, Confirms& confirms) {
  if (jobs.empty()) return std::nullopt;
  // The connection may have ended since it was last used.
  keep_alive();
  try {
    if (!connection_) connection_ = connect();
    connection_->publish(options_.queue, jobs, confirms, steady_clock::now() + options_.timeout);
    if (confirms.given_back()) {
      connection_.reset();
      return *confirms.given_back() + ": there is no queue '" + options_.queue +
             "'; enqueuer --create-queue makes it";
    }
    if (confirms.refused() == 0) return std::nullopt;
    return "it refused " + std::to_string(confirms.refused()) + " of " + std::to_string(jobs.size()) +
           " jobs; the queue may be full";
  } catch (const RabbitMqBlocked& error) {
    return error.what();
  } catch (const std::runtime_error& error) {
    connection_.reset();
    if (confirms.awaited() == 0) return error.what();
    return error.what() + (", with " + std::to_string(confirms.awaited()) + " of " +
                           std::to_string(jobs.size()) + " jobs unconfirmed");
  }
}

void RabbitMqQueue::keep_alive() {
  try {
    if (connection_) connection_->keep_alive();
  } catch (const std::runtime_error&) {
    connection_.reset();
  }
}

void RabbitMqQueue::create() const {
  try {
    const auto deadline = steady_clock::now() + options_.connect_timeout;
    RabbitMqConnection connection(options_.address, options_.ca_file, options_.heartbeat, deadline);
    connection.create_queue(options_.queue, deadline + options_.timeout);
    connection.close();
  } catch (const std::runtime_error& error) {
    throw named(error.what());
  }
}

std::unique_ptr<RabbitMqConnection> RabbitMqQueue::connect() const {
  const auto deadline = steady_clock::now() + options_.connect_timeout;
  auto connection =
      std::make_unique<RabbitMqConnection>(options_.address, options_.ca_file, options_.heartbeat, deadline);
  connection->find_queue(options_.queue, deadline);
  return connection;
}

std::runtime_error RabbitMqQueue::named(const std::string& reason) const {
  return std::runtime_error("RabbitMQ at " + options_.address.shown() + ": " + reason);
}

}  // namespace rocket::jobs
