#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "spec/fault/patient_client.h"
#include "spec/support/sql_session.h"
#include "spec/support/time_limits.h"

namespace rocket::spec {

// Clients that send requests, each with a key of its own, until they are told that it is enough. Each insists
// until it has its 201; on the way only an answer that asks to retry is right, and 500 is none. Thread safe.
class Traffic {
 public:
  using Request = std::function<ClientRequest(const std::string& key)>;
  struct Done {
    std::string key;
    ClientResponse answer;
  };

  // Rides, of one user.
  Traffic(const std::vector<std::uint16_t>& ports, int clients);
  Traffic(const std::vector<std::uint16_t>& ports, int clients, Request request);
  ~Traffic() { end(); }
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  int done() const { return done_; }
  // Requests whose first attempt got no answer.
  int retried() const { return retried_; }
  // Of a request with all its attempts, and of one attempt; those that go on are not counted yet.
  std::chrono::milliseconds longest() const { return std::chrono::milliseconds(longest_.load()); }
  std::chrono::milliseconds slowest_attempt() const { return std::chrono::milliseconds(slowest_.load()); }
  // The slowest attempt since this was last asked for.
  std::chrono::milliseconds take_slowest_attempt();
  // How long it takes until so many requests more are done; gives up after 15 s.
  std::chrono::milliseconds until_done(int more = 1) const;
  // Whether so many more are done before long.
  bool goes_on(int more) const;
  // Each client ends the request it is at.
  void end();
  // All answers; call after end().
  const std::vector<Done>& rides() const { return all_; }

 private:
  void send(const std::vector<std::uint16_t>& ports, const Request& request);

  std::atomic<bool> enough_{false};
  std::atomic<int> done_{0};
  std::atomic<int> retried_{0};
  std::atomic<std::int64_t> longest_{0};
  std::atomic<std::int64_t> slowest_{0};
  std::mutex mutex_;
  std::chrono::milliseconds recent_slowest_{0};
  std::vector<Done> all_;
  std::vector<std::thread> threads_;
};

// What they felt of an outage that has just ended, if their slowest attempt was taken before it began.
// Returns when they are at work again.
Felt felt_by(Traffic& traffic, int more = 1);

// What was acknowledged is in the database, with the same bytes.
void expect_same_bytes(SqlSession& session, const std::vector<Traffic::Done>& acknowledged);

}  // namespace rocket::spec
