#include "simulator/caller.h"

#include <utility>

#include "simulator/retry_policy.h"

namespace rocket::simulator {
namespace {

HttpRequest request_for(const Errand& errand, const Attempt& attempt, const std::string& request_id) {
  const Plan& plan = errand.plan;
  nlohmann::ordered_json parameters = attempt.bad ? plan.bad_parameters : plan.parameters;
  if (attempt.raise_error) parameters["raise_error"] = true;
  HttpRequest request;
  request.method = plan.method;
  request.path = plan.path;
  request.headers = {"Authorization: " + plan.user.authorization,
                     "Content-Type: " + std::string(media_type(attempt.encoding)),
                     "X-Request-Id: " + request_id};
  if (!errand.key.empty()) request.headers.push_back("Idempotency-Key: " + errand.key);
  request.body = encode(parameters, attempt.encoding);
  request.hang_up = attempt.hang_up;
  request.new_connection = !errand.may_be_repeated();
  return request;
}

}  // namespace

std::optional<Caller::Reply> Caller::send(Errand& errand, const Attempt& attempt, CallResult& result) {
  if (!stage_.pacer.wait_turn(stage_.stop)) return std::nullopt;
  const std::string request_id = stage_.run_name + '-' + std::to_string(errand.plan.number) + '-' +
                                 std::to_string(errand.history.next_request());
  const bool was_final = errand.history.final_answer().has_value();
  ++result.attempts;
  Reply reply = client_.send(request_for(errand, attempt, request_id));
  if (const auto* given = std::get_if<HttpAnswer>(&reply); given != nullptr && is_of_a_gateway(*given)) {
    reply = Silence::kGateway;
  }
  stage_.reachability.note(reply);
  if (const auto* silence = std::get_if<Silence>(&reply)) {
    stage_.statistics.add(*silence);
    return reply;
  }
  const auto& answer = std::get<HttpAnswer>(reply);
  // The client asked for this failure, so it is no failure of the api.
  const bool as_asked = attempt.raise_error && answer.status == 500;
  stage_.statistics.add(answer, as_asked ? "raise_error" : code_of(answer));
  result.status = answer.status;
  const Witness::Asked asked{errand.plan, attempt, errand.key, request_id, was_final};
  const bool allowed = stage_.witness.judge(asked, errand.history, answer);
  switch (meaning_of(answer)) {
    case Meaning::kFinal:
      result.ending = Ending::kAnswered;
      break;
    case Meaning::kRetry:
      result.ending = Ending::kLeft;
      break;
    case Meaning::kParked:
      result.ending = Ending::kParked;
      break;
    case Meaning::kRefused:
      result.ending = allowed ? Ending::kAnswered : Ending::kRefused;
      break;
  }
  return reply;
}

CallResult Caller::try_once(Errand& errand, const Attempt& attempt) {
  CallResult result;
  const std::optional<Reply> reply = send(errand, attempt, result);
  if (reply && std::holds_alternative<Silence>(*reply)) result.ending = Ending::kLeft;
  return result;
}

CallResult Caller::insist(Errand& errand, const Attempt& attempt) {
  CallResult result;
  while (result.attempts < kMaxAttempts) {
    const std::optional<Reply> reply = send(errand, attempt, result);
    if (!reply) break;
    const auto* answer = std::get_if<HttpAnswer>(&*reply);
    if (answer != nullptr && meaning_of(*answer) != Meaning::kRetry) return result;
    // Without a key, a request may be sent again only if it certainly was not sent.
    const bool was_sent = answer != nullptr || std::get<Silence>(*reply) != Silence::kNotConnected;
    if (!errand.may_be_repeated() && was_sent) {
      result.ending = Ending::kUnknown;
      return result;
    }
    result.ending = Ending::kLeft;
    if (result.attempts == kMaxAttempts) return result;
    const auto wished = answer != nullptr ? answer->retry_after : std::nullopt;
    if (!pause(stage_.stop, pause_after(result.attempts, wished))) break;
  }
  result.ending = Ending::kStopped;
  return result;
}

}  // namespace rocket::simulator
