#pragma once

#include <atomic>
#include <chrono>
#include <string_view>

#include "api/http_message.h"
#include "api/line_budget.h"
#include "api/request_context.h"
#include "api/security_log.h"
#include "rocket/base/log.h"

namespace rocket::api {

// What operators can read about requests: a line for each answer, and who was refused. Whoever is refused may
// try again at once, as often as they like, so these lines are bounded. Thread safe.
class AnswerLog {
 public:
  // The log must outlive it.
  explicit AnswerLog(const Log& log) : log_(log), security_(log) {}
  ~AnswerLog() { tell_left_out(LineBudget::Time::max()); }
  AnswerLog(const AnswerLog&) = delete;
  AnswerLog& operator=(const AnswerLog&) = delete;

  // `route` is the path with the names of its variables; a path of a client may hold something private.
  void note(const RequestContext& context, std::string_view route,
            std::chrono::steady_clock::time_point since, const HttpResponse& response);
  // A request was refused because its Host is no name of ours.
  void note_foreign_host(const HttpRequest& request);

 private:
  void tell_left_out(LineBudget::Time now);

  const Log& log_;
  SecurityLog security_;
  LineBudget refusal_lines_{100};
  // When a foreign host was logged last.
  std::atomic<std::chrono::steady_clock::rep> told_of_host_{0};
};

}  // namespace rocket::api
