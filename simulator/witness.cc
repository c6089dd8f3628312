#include "simulator/witness.h"

#include <nlohmann/json.hpp>

#include "simulator/retry_policy.h"

namespace rocket::simulator {
namespace {

// A bound, because a run without end must not use memory without end.
constexpr std::size_t kMaxOwners = 500'000;

// What is wrong with this answer to this attempt, whatever the key was answered before. nullopt if nothing
// is.
std::optional<std::string> unexpected(const Witness::Asked& asked, const HttpAnswer& answer) {
  const Meaning meaning = meaning_of(answer);
  if (meaning == Meaning::kRetry || meaning == Meaning::kParked) return std::nullopt;
  const std::string shown = std::to_string(answer.status) + ' ' + code_of(answer);
  if (asked.attempt.bad) {
    const bool names_a_parameter = answer.status == 422 && code_of(answer).starts_with("parameter_");
    if (!names_a_parameter) return "a wrong parameter was answered with " + shown;
    return std::nullopt;
  }
  if (meaning == Meaning::kRefused) return "a good request was refused with " + shown;
  if (asked.attempt.raise_error) return "an attempt that was to fail was answered with " + shown;
  const bool declines = asked.plan.scenario == Scenario::kDeclined;
  if (answer.status == 402 && !declines) return "a good card was declined";
  if (answer.status == 201 && declines) return "a bad card was charged";
  const int success = asked.plan.is_cancellation() ? 200 : 201;
  if (answer.status < 300 && answer.status != success) return "a success was answered with " + shown;
  return std::nullopt;
}

}  // namespace

Witness::Witness(const Log& log, std::size_t remembered_answers)
    : log_(log), remembered_answers_(remembered_answers) {}

bool Witness::judge(const Asked& asked, KeyHistory& history, const HttpAnswer& answer) {
  Violation violation;
  const bool is_final = meaning_of(answer) == Meaning::kFinal;
  if (answer.request_id != asked.request_id) {
    violation = "the answer carries the request id of another request";
  } else if ((violation = unexpected(asked, answer))) {
    // The violation is found.
  } else if (is_final) {
    violation = judge_final(asked, history, answer);
  } else if (asked.was_final && answer.status < 500) {
    violation = "a key that had its final answer was answered with " + std::to_string(answer.status);
  }
  if (!violation) return true;
  {
    const std::lock_guard lock(mutex_);
    ++violations_;
  }
  log_.error("violation", {{"error", *violation},
                           {"scenario", name_of(asked.plan.scenario)},
                           {"number", asked.plan.number},
                           {"user", asked.plan.user.label},
                           {"status", answer.status},
                           {"request_id", asked.request_id}});
  return false;
}

Witness::Violation Witness::judge_final(const Asked& asked, KeyHistory& history, const HttpAnswer& answer) {
  const Acknowledged acknowledged{asked.plan.user.email, std::string(asked.key), answer.status, answer.body,
                                  std::chrono::steady_clock::now()};
  if (history.keep(acknowledged)) {
    if (!asked.key.empty() && remembered_answers_ > 0) {
      const std::lock_guard lock(mutex_);
      acknowledged_.push_back(acknowledged);
      if (acknowledged_.size() > remembered_answers_) acknowledged_.pop_front();
    }
    return judge_first(asked, answer);
  }
  const Acknowledged first = *history.final_answer();
  if (answer.status != first.status) {
    return "one key, two statuses: " + std::to_string(first.status) + " and " + std::to_string(answer.status);
  }
  if (answer.body != first.body) return "one key, two bodies";
  if (asked.was_final && !asked.key.empty() && answer.replayed != "true")
    return "a repeated answer without Idempotent-Replayed: true";
  return std::nullopt;
}

// The answer must match the request, and no other plan may have got the same ride or charge.
Witness::Violation Witness::judge_first(const Asked& asked, const HttpAnswer& answer) {
  if (answer.status >= 300) return std::nullopt;
  if (asked.plan.is_cancellation()) return judge_cancelled(asked, answer);
  const std::string kind = asked.plan.is_ride() ? "ride" : "deposit";
  const auto body = nlohmann::json::parse(answer.body, nullptr, false);
  if (!body.is_object() || !body.contains(kind) || !body[kind].is_object())
    return "a 201 without its " + kind;
  const auto& made = body[kind];
  for (const auto& [name, value] : asked.plan.parameters.items()) {
    // Numbers compare by value: 1 equals 1.0.
    if (!made.contains(name) || made[name] != nlohmann::json(value)) return "a 201 with another " + name;
  }
  if (!made.contains("id")) return "a 201 without an id";
  if (auto violation = claim_thing(kind + ' ' + made["id"].dump(), asked.plan.number)) return violation;
  if (!asked.plan.is_ride()) return std::nullopt;
  if (!made.contains("stripe_charge_id") || !made["stripe_charge_id"].is_string())
    return "a 201 without a charge";
  return claim_thing("charge " + made["stripe_charge_id"].get<std::string>(), asked.plan.number);
}

Witness::Violation Witness::judge_cancelled(const Asked& asked, const HttpAnswer& answer) {
  const auto body = nlohmann::json::parse(answer.body, nullptr, false);
  const auto ride = body.is_object() ? body.value("ride", nlohmann::json()) : nlohmann::json();
  if (!ride.is_object() || "/rides/" + ride.value("id", nlohmann::json()).dump() != asked.plan.path) {
    return "a cancellation without its ride";
  }
  if (ride.value("state", nlohmann::json()) != "cancelled") return "a cancelled ride in another state";
  if (!ride.contains("stripe_refund_id") || !ride["stripe_refund_id"].is_string())
    return "a cancelled ride without a refund";
  return claim_thing("refund " + ride["stripe_refund_id"].get<std::string>(), asked.plan.number);
}

Witness::Violation Witness::claim_thing(const std::string& name, std::uint64_t owner) {
  const std::lock_guard lock(mutex_);
  const auto [found, is_new] = owners_.emplace(name, owner);
  // A plan may claim its own thing again, because two cancellations of one ride name one refund.
  if (!is_new && found->second == owner) return std::nullopt;
  if (!is_new) return "two keys share " + name + "; the other is number " + std::to_string(found->second);
  owned_in_order_.push_back(name);
  if (owned_in_order_.size() > kMaxOwners) {
    owners_.erase(owned_in_order_.front());
    owned_in_order_.pop_front();
  }
  return std::nullopt;
}

std::int64_t Witness::violations() const {
  const std::lock_guard lock(mutex_);
  return violations_;
}

std::vector<Acknowledged> Witness::acknowledged() const {
  const std::lock_guard lock(mutex_);
  return {acknowledged_.begin(), acknowledged_.end()};
}

}  // namespace rocket::simulator
