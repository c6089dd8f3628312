#include "simulator/scenarios.h"

#include <future>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "rocket/base/ids.h"

namespace rocket::simulator {
namespace {

// The joint result of two calls, of which `after` was the later one.
CallResult both(const CallResult& before, CallResult after) {
  after.attempts += before.attempts;
  if (after.status == 0) after.status = before.status;
  return after;
}

// The joint result of two calls. An ending other than kAnswered says more, so it is kept.
CallResult worse_of(const CallResult& one, const CallResult& two) {
  return one.ending == Ending::kAnswered ? both(one, two) : both(two, one);
}

CallResult fail_then_return(Errand& errand, Caller& caller, const Attempt& failing) {
  const CallResult failed = caller.try_once(errand, failing);
  // The attempt that had to fail may have been answered, by mistake or because the hang-up came too late.
  if (failed.ending != Ending::kLeft || !errand.plan.comes_back) return failed;
  return both(failed, caller.insist(errand, {.encoding = errand.plan.later_encoding}));
}

CallResult correct_the_mistake(Errand& errand, Caller& caller) {
  const CallResult refused = caller.insist(errand, {.encoding = errand.plan.first_encoding, .bad = true});
  if (refused.ending != Ending::kAnswered || !errand.plan.comes_back) return refused;
  // The mistake did not use up the key, so the same key is sent again.
  return both(refused, caller.insist(errand, {.encoding = errand.plan.later_encoding}));
}

CallResult ask_twice_at_once(Errand& errand, Caller& first, Caller& second) {
  std::future<CallResult> other = std::async(
      std::launch::async, [&] { return second.insist(errand, {.encoding = errand.plan.later_encoding}); });
  const CallResult one = first.insist(errand, {.encoding = errand.plan.first_encoding});
  return worse_of(one, other.get());
}

CallResult ask_again(Errand& errand, Caller& caller, CallResult result) {
  for (int replay = 0; replay < errand.plan.replays && result.ending == Ending::kAnswered; ++replay) {
    result = both(result, caller.insist(errand, {.encoding = errand.plan.later_encoding}));
  }
  return result;
}

// The id of the ride in a 201; empty if there is none.
std::string ride_id_in(const std::optional<Acknowledged>& answer) {
  if (!answer || answer->status != 201) return {};
  const auto body = nlohmann::json::parse(answer->body, nullptr, false);
  const nlohmann::json::json_pointer id("/ride/id");
  return body.contains(id) ? body.at(id).dump() : std::string();
}

CallResult ride_and_cancel(Errand& errand, Caller& first, Caller& second) {
  const CallResult ridden = first.insist(errand, {.encoding = errand.plan.first_encoding});
  const std::string ride_id = ride_id_in(errand.history.final_answer());
  if (ridden.ending != Ending::kAnswered || ride_id.empty()) return ridden;
  const Plan plan = cancellation_of(errand.plan, ride_id);
  Errand cancellation{plan, plan.cancels_with_key ? random_uuid() : std::string(), {}};
  if (!plan.cancels_twice_at_once) {
    const CallResult cancelled = first.insist(cancellation, {.encoding = plan.first_encoding});
    return both(ridden, ask_again(cancellation, first, cancelled));
  }
  // The second cancellation has another key. Each of the two may finish what the other has begun, or find it
  // done.
  Errand other{plan, random_uuid(), {}};
  std::future<CallResult> at_once =
      std::async(std::launch::async, [&] { return second.insist(other, {.encoding = plan.later_encoding}); });
  const CallResult one = first.insist(cancellation, {.encoding = plan.first_encoding});
  const CallResult cancelled = worse_of(one, at_once.get());
  return both(ridden, ask_again(cancellation, first, cancelled));
}

}  // namespace

CallResult play(const Plan& plan, Caller& first, Caller& second) {
  const bool keyless = plan.scenario == Scenario::kKeylessDeposit;
  Errand errand{plan, keyless ? std::string() : random_uuid(), {}};
  switch (plan.scenario) {
    case Scenario::kSimulatedFailure:
      return fail_then_return(errand, first, {.encoding = plan.first_encoding, .raise_error = true});
    case Scenario::kHangUp:
      return fail_then_return(errand, first, {.encoding = plan.first_encoding, .hang_up = true});
    case Scenario::kBadRequest:
      return correct_the_mistake(errand, first);
    case Scenario::kDuplicate:
      return ask_again(errand, first, ask_twice_at_once(errand, first, second));
    case Scenario::kCancellation:
      return ride_and_cancel(errand, first, second);
    default:
      return ask_again(errand, first, first.insist(errand, {.encoding = plan.first_encoding}));
  }
}

}  // namespace rocket::simulator
