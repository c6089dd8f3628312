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

// Clients that send requests, each with a new key, until end(). A client repeats a request until it has a
// 201. Until then, every answer must ask for a retry; a 500 fails the test. Thread safe.
class Traffic {
 public:
  using Request = std::function<ClientRequest(const std::string& key)>;
  struct Done {
    std::string key;
    ClientResponse answer;
  };

  // Sends rides of one user.
  Traffic(const std::vector<std::uint16_t>& ports, int clients);
  Traffic(const std::vector<std::uint16_t>& ports, int clients, Request request);
  ~Traffic() { end(); }
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  int done() const { return done_; }
  // Waits until one more attempt got no answer: the clients feel a fault that goes on meanwhile. Returns
  // false if none does in time.
  bool feels_it() const;
  // Requests whose first attempt got no answer.
  int retried() const { return retried_; }
  // The longest time of a request with all its attempts, and of one attempt. Unfinished requests are not
  // counted.
  std::chrono::milliseconds longest() const { return std::chrono::milliseconds(longest_.load()); }
  std::chrono::milliseconds slowest_attempt() const { return std::chrono::milliseconds(slowest_.load()); }
  // The slowest attempt since the last call of this function.
  std::chrono::milliseconds take_slowest_attempt();
  // Waits until this many more requests are done, and returns how long that took. Gives up after 15 s.
  std::chrono::milliseconds until_done(int more = 1) const;
  // Waits until this many more requests are done. Returns false if they are not done in time.
  bool goes_on(int more) const;
  // Ends the clients. Each of them finishes its current request first.
  void end();
  // All answers. Call it after end().
  const std::vector<Done>& rides() const { return all_; }

 private:
  void send(const std::vector<std::uint16_t>& ports, const Request& request);

  std::atomic<bool> enough_{false};
  std::atomic<int> done_{0};
  std::atomic<int> retried_{0};
  std::atomic<int> refused_{0};
  std::atomic<std::int64_t> longest_{0};
  std::atomic<std::int64_t> slowest_{0};
  std::mutex mutex_;
  std::chrono::milliseconds recent_slowest_{0};
  std::vector<Done> all_;
  std::vector<std::thread> threads_;
};

// How an outage that has just ended delayed the clients. Call take_slowest_attempt() before the outage
// begins. Returns when the clients are served again.
Felt felt_by(Traffic& traffic, int more = 1);

// Expects every acknowledged answer in the database, with the same bytes.
void expect_same_bytes(SqlSession& session, const std::vector<Traffic::Done>& acknowledged);

}  // namespace rocket::spec
