#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>

namespace rocket::simulator {

// A final answer. After it, every request with this key must get the same answer.
struct Acknowledged {
  std::string user_email;
  std::string key;
  int status = 0;
  std::string body;
  std::chrono::steady_clock::time_point at;
};

// What the client was told about one key. Two requests with the key may be under way at once. Thread safe.
class KeyHistory {
 public:
  // The final answer known so far, if any.
  std::optional<Acknowledged> final_answer() const;
  // Keeps this answer and returns true, unless there is one already.
  bool keep(const Acknowledged& answer);
  // The number of the next request. The first one is 1.
  int next_request();

 private:
  mutable std::mutex mutex_;
  std::optional<Acknowledged> final_;
  int requests_ = 0;
};

}  // namespace rocket::simulator
