#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "api/http_message.h"
#include "api/request_context.h"
#include "rocket/base/log.h"

namespace rocket::api {

// Something that a caller was refused, and that may be an attack.
struct SecurityEvent {
  // The code of the refusal, such as credentials_invalid.
  std::string what;
  // The id of the user, or empty if the user is not known.
  std::string user;
  // The address.
  std::string from;

  bool operator<(const SecurityEvent& other) const;
};

// Returns the event if this answer is one.
std::optional<SecurityEvent> security_event(const RequestContext& context, const HttpResponse& response);

// Tells operators who was refused, from where, and why. An attacker may cause thousands of refusals a second,
// so each event is logged at once when it is new, and then once a minute with the number of times. Its memory
// is bounded. Thread safe.
class SecurityLog {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  // The log must outlive it.
  explicit SecurityLog(const Log& log, Clock clock = std::chrono::steady_clock::now);
  // Logs what is not logged yet.
  ~SecurityLog();
  SecurityLog(const SecurityLog&) = delete;
  SecurityLog& operator=(const SecurityLog&) = delete;

  void note(SecurityEvent event);
  // Tells what has waited for a minute. Call it often: it looks once a second.
  void pass_time(std::chrono::steady_clock::time_point now);

 private:
  struct Times {
    std::int64_t untold = 0;
    std::chrono::steady_clock::time_point told;
  };

  void tell(const SecurityEvent& event, std::int64_t times) const;
  // Tells what has waited for a minute, and forgets what has not happened again.
  void tell_due(std::chrono::steady_clock::time_point now);

  const Log& log_;
  const Clock clock_;
  std::mutex mutex_;
  std::map<SecurityEvent, Times> events_;
  // When it was looked for what is due.
  std::atomic<std::chrono::steady_clock::time_point> looked_;
};

}  // namespace rocket::api
