#include "spec/fault/traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <utility>

#include "spec/support/eventually.h"
#include "spec/support/requests.h"

namespace rocket::spec {
namespace {

// Without a pause, the clients would keep all processors busy while a test waits.
constexpr std::chrono::milliseconds kPauseOfAClient{10};

}  // namespace

Traffic::Traffic(const std::vector<std::uint16_t>& ports, int clients)
    : Traffic(ports, clients, [](const std::string& key) { return ride_request(key); }) {}

Traffic::Traffic(const std::vector<std::uint16_t>& ports, int clients, Request request) {
  for (int i = 0; i < clients; ++i) threads_.emplace_back([this, ports, request] { send(ports, request); });
}

std::chrono::milliseconds Traffic::take_slowest_attempt() {
  const std::lock_guard lock(mutex_);
  return std::exchange(recent_slowest_, std::chrono::milliseconds(0));
}

bool Traffic::goes_on(int more) const {
  return eventually([this, enough = done() + more] { return done() >= enough; });
}

bool Traffic::feels_it() const {
  return eventually([this, before = refused_.load()] { return refused_ > before; });
}

std::chrono::milliseconds Traffic::until_done(int more) const {
  return time_of([&] { goes_on(more); });
}

void Traffic::end() {
  enough_ = true;
  for (auto& each : threads_) {
    if (each.joinable()) each.join();
  }
}

void Traffic::send(const std::vector<std::uint16_t>& ports, const Request& request) {
  PatientClient client(ports);
  client.on_refusal([this] { ++refused_; });
  for (; !enough_; std::this_thread::sleep_for(kPauseOfAClient)) {
    const std::string key = new_key();
    const auto outcome = client.insist(request(key));
    EXPECT_EQ(outcome.answer.status, 201) << outcome.answer.body << testing::PrintToString(outcome.refusals);
    // A 500 would mean that the api did not recognise the outage.
    EXPECT_THAT(outcome.refusals, testing::Each(testing::AnyOf(0, 409, 503)));
    if (!outcome.refusals.empty()) ++retried_;
    const std::lock_guard lock(mutex_);
    longest_ = std::max<std::int64_t>(longest_, outcome.duration.count());
    slowest_ = std::max<std::int64_t>(slowest_, outcome.slowest_attempt.count());
    recent_slowest_ = std::max(recent_slowest_, outcome.slowest_attempt);
    all_.push_back({key, outcome.answer});
    ++done_;
  }
}

Felt felt_by(Traffic& traffic, int more) {
  Felt felt;
  felt.until_served = traffic.until_done(more);
  // By then, refused clients have their answers.
  EXPECT_TRUE(traffic.goes_on(50));
  felt.slowest_answer = traffic.take_slowest_attempt();
  return felt;
}

void expect_same_bytes(SqlSession& session, const std::vector<Traffic::Done>& acknowledged) {
  std::map<std::string, std::string> stored;
  for (const auto& row : session.rows("SELECT idempotency_key, response_body FROM idempotency_keys")) {
    stored[*row[0]] = row[1].value_or("");
  }
  for (const auto& each : acknowledged) {
    EXPECT_EQ(stored[each.key], each.answer.body) << "what was acknowledged is lost or changed";
  }
}

}  // namespace rocket::spec
