#include "simulator/retry_policy.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "rocket/base/backoff.h"

namespace rocket::simulator {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{5000};
// If a server asks for a longer pause, the client waits only for this time.
constexpr std::chrono::seconds kLongestRetryAfter{60};

}  // namespace

std::string code_of(const HttpAnswer& answer) {
  const auto body = nlohmann::json::parse(answer.body, nullptr, false);
  if (!body.is_object()) return {};
  const auto code = body.find("code");
  return code != body.end() && code->is_string() ? code->get<std::string>() : std::string();
}

bool is_of_a_gateway(const HttpAnswer& answer) {
  return answer.request_id.empty() && answer.status >= 502 && answer.status <= 504;
}

Meaning meaning_of(const HttpAnswer& answer) {
  if (answer.status == 200 || answer.status == 201 || answer.status == 402) return Meaning::kFinal;
  if (answer.status == 503 && code_of(answer) == "payment_rejected") return Meaning::kFinal;
  if (answer.status == 410 && code_of(answer) == "request_closed") return Meaning::kFinal;
  if (answer.status >= 500 || answer.status == 429) return Meaning::kRetry;
  if (answer.status == 409) {
    const std::string code = code_of(answer);
    if (code == "request_in_progress" || code == "ride_unfinished") return Meaning::kRetry;
    if (code == "request_parked") return Meaning::kParked;
  }
  return Meaning::kRefused;
}

milliseconds pause_after(int attempt, std::optional<std::chrono::seconds> retry_after) {
  const milliseconds longest = std::min(kFirstPause * (1 << std::clamp(attempt - 1, 0, 10)), kLongestPause);
  if (!retry_after) return random_time(longest / 2, longest);
  return std::max<milliseconds>(longest / 2, std::min(*retry_after, kLongestRetryAfter)) +
         random_time(milliseconds(0), longest / 2);
}

}  // namespace rocket::simulator
