#include "api/answer_log.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace rocket::api {
namespace {

// A sentence for people who read the log.
std::string sentence_of(const HttpResponse& response) {
  const bool is_replay = std::any_of(response.headers.begin(), response.headers.end(),
                                     [](const auto& field) { return field.first == "Idempotent-Replayed"; });
  return "{method} {route} answered {status} " + std::string(reason_phrase(response.status)) +
         (is_replay ? ", as before," : "") + " in {duration_ms} ms";
}

}  // namespace

void AnswerLog::note(const RequestContext& context, std::string_view route,
                     std::chrono::steady_clock::time_point since, const HttpResponse& response) {
  const auto now = std::chrono::steady_clock::now();
  if (auto event = security_event(context, response)) security_.note(std::move(*event));
  security_.pass_time(now);
  if (!log_.shows_info()) return;
  tell_left_out(now);
  // A request that is nobody's costs its sender nothing.
  const bool is_cheap = !response.code.empty() || context.caller.empty();
  if (is_cheap && !refusal_lines_.take(now)) return;
  const std::chrono::duration<double, std::milli> duration = now - since;
  log_.info("answered",
            {{"method", context.request.method},
             {"route", route},
             {"status", response.status},
             {"duration_ms", duration.count()},
             context.ids->request_field(),
             context.ids->key_field(),
             context.ids->trace_field()},
            sentence_of(response));
}

void AnswerLog::tell_left_out(LineBudget::Time now) {
  const std::int64_t lines = refusal_lines_.left_out(now);
  if (lines == 0) return;
  log_.warn("left out", {{"lines", lines}},
            "left out {lines} lines about requests that were refused or nobody's");
}

// Tells one of them a minute. An operator may have forgotten a name, and a stranger may send as many as they
// like.
void AnswerLog::note_foreign_host(const HttpRequest& request) {
  constexpr std::size_t kLongest = 100;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  auto last = told_of_host_.load();
  if (last != 0 && now - std::chrono::steady_clock::duration(last) < std::chrono::minutes(1)) return;
  if (!told_of_host_.compare_exchange_strong(last, now.count())) return;
  log_.warn("refused a host", {{"host", request.header("host").value_or("").substr(0, kLongest)}},
            "refused requests to {host}; if that is a name of ours, add it to API_HOSTS");
}

}  // namespace rocket::api
