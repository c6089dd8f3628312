#include "api/security_log.h"

#include <cstddef>
#include <tuple>
#include <utility>

#include "api/admission.h"
#include "api/client_address.h"

namespace rocket::api {
namespace {

constexpr std::chrono::minutes kInterval{1};
// Looking through all events costs some microseconds.
constexpr std::chrono::seconds kLookInterval{1};
constexpr std::size_t kMaxEvents = 1000;
constexpr const char* kOthers = "others";

}  // namespace

bool SecurityEvent::operator<(const SecurityEvent& other) const {
  return std::tie(what, user, from) < std::tie(other.what, other.user, other.from);
}

std::optional<SecurityEvent> security_event(const RequestContext& context, const HttpResponse& response) {
  const bool is_suspect = response.status == 401 || response.status == 403 || response.status == 429;
  if (!is_suspect || response.code == "credentials_missing") return std::nullopt;
  std::string user = response.refused_user;
  if (user.empty() && !is_address(context.caller)) user = context.caller;
  return SecurityEvent{response.code, std::move(user), network_of(context.request.origin_ip)};
}

SecurityLog::SecurityLog(const Log& log, Clock clock)
    : log_(log), clock_(std::move(clock)), looked_(clock_()) {}

SecurityLog::~SecurityLog() {
  for (const auto& [event, times] : events_) {
    if (times.untold > 0) tell(event, times.untold);
  }
}

void SecurityLog::note(SecurityEvent event) {
  const std::lock_guard lock(mutex_);
  const auto now = clock_();
  tell_due(now);
  auto found = events_.find(event);
  if (found == events_.end() && events_.size() >= kMaxEvents) {
    event.user.clear();
    event.from = kOthers;
    found = events_.find(event);
  }
  if (found != events_.end()) {
    ++found->second.untold;
    return;
  }
  tell(event, 1);
  events_.emplace(std::move(event), Times{0, now});
}

void SecurityLog::pass_time(std::chrono::steady_clock::time_point now) {
  if (now - looked_.load() < kLookInterval) return;
  const std::lock_guard lock(mutex_);
  tell_due(now);
}

void SecurityLog::tell(const SecurityEvent& event, std::int64_t times) const {
  log_.warn("security",
            {{"what", event.what}, {"user_id", event.user}, {"from", event.from}, {"times", times}},
            event.user.empty() ? "refused {from}: {what}, {times} times"
                               : "refused user {user_id} from {from}: {what}, {times} times");
}

void SecurityLog::tell_due(std::chrono::steady_clock::time_point now) {
  if (now - looked_.load() < kLookInterval) return;
  looked_ = now;
  for (auto each = events_.begin(); each != events_.end();) {
    auto& [event, times] = *each;
    if (now - times.told < kInterval) {
      ++each;
    } else if (times.untold == 0) {
      each = events_.erase(each);
    } else {
      tell(event, std::exchange(times.untold, 0));
      times.told = now;
      ++each;
    }
  }
}

}  // namespace rocket::api
