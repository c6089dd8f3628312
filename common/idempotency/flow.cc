#include "rocket/idempotency/flow.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "rocket/idempotency/compose.h"

namespace rocket::idempotency {
namespace {

// As in the domain recovery_point.
constexpr std::size_t kMaxPointLength = 50;

bool may_refuse(const Step& step) {
  const auto* local = std::get_if<LocalPhase>(&step.phase);
  return local != nullptr && local->may_refuse;
}

const ForeignPhase* call_at(const std::vector<Step>& steps, std::size_t step) {
  return step < steps.size() ? std::get_if<ForeignPhase>(&steps[step].phase) : nullptr;
}

void check(const FlowDeclaration& flow) {
  const auto must = [&](bool holds, const char* what) {
    if (!holds) throw std::logic_error("the flow " + flow.name + " must " + what);
  };
  must(flow.owner != nullptr, "say who owns a request (owner)");
  must(!flow.steps.empty() && flow.steps.front().recovery_point == kStarted,
       "have its first step at started");
  must(flow.answer.body != nullptr, "have an answer");
  for (const Step& step : flow.steps) {
    if (const auto* foreign = std::get_if<ForeignPhase>(&step.phase)) {
      must(foreign->needs != nullptr && foreign->call != nullptr,
           "say what each call needs, and have a function for it");
    }
    must(!step.recovery_point.empty() && step.recovery_point.size() <= kMaxPointLength &&
             step.recovery_point.find('\'') == std::string_view::npos,
         "have names of at most 50 characters for its recovery points, without quotes");
    const bool is_last = &step == &flow.steps.back();
    must(!may_refuse(step) || flow.refusal != nullptr, "have answers for what it refuses (refusal)");
    must(!may_refuse(step) || step.apart || is_last,
         "mark a step that may refuse as apart, unless it is the last one");
    must(step.recovery_point != kFinished, "have no step at finished, which is the end");
    must(std::count_if(flow.steps.begin(), flow.steps.end(),
                       [&](const Step& each) { return each.recovery_point == step.recovery_point; }) == 1,
         "have one step for each recovery point");
  }
}

}  // namespace

const Body& body_of(const Step& step) {
  if (const auto* local = std::get_if<LocalPhase>(&step.phase)) return local->body;
  return std::get<ForeignPhase>(step.phase).record;
}

Flow::Flow(FlowDeclaration declaration) : declaration_(std::move(declaration)) {
  check(declaration_);
  const std::vector<Step>& steps = declaration_.steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    ways_.push_back(
        {stretch_from(i, false), call_at(steps, i) == nullptr ? Stretch{} : stretch_from(i, true)});
  }
  claim_only_ = std::make_unique<ComposedStatement>(declaration_.name + ".claim_only",
                                                    compose_claim(declaration_.owner, kStarted));
  const std::size_t end = end_of_statement(0, false);
  if (const ForeignPhase* call = call_at(steps, end);
      call != nullptr && !steps[end == 0 ? 0 : end - 1].apart) {
    std::vector<std::string_view> bodies;
    for (std::size_t i = 0; i < end; ++i) bodies.emplace_back(body_of(steps[i]).makes);
    claim_and_begin_ = std::make_unique<ComposedStatement>(
        declaration_.name + ".claim_and_begin",
        compose_claim(declaration_.owner, steps[end].recovery_point, bodies, call));
  }
}

bool Flow::has_foreign_call() const {
  return std::any_of(steps().begin(), steps().end(),
                     [](const Step& step) { return std::holds_alternative<ForeignPhase>(step.phase); });
}

const Stretch& Flow::from(std::string_view recovery_point) const {
  return ways_[index_of(recovery_point)].from;
}

const Stretch& Flow::after_call(std::string_view recovery_point) const {
  return ways_[index_of(recovery_point)].after_call;
}

std::vector<pg::Statement> Flow::statements() const {
  std::vector<pg::Statement> all{claim_only_->statement()};
  if (claim_and_begin_) all.push_back(claim_and_begin_->statement());
  for (const pg::Statement& each : statements_after_claim()) all.push_back(each);
  return all;
}

std::vector<pg::Statement> Flow::statements_after_claim() const {
  std::vector<pg::Statement> all;
  all.reserve(statements_.size());
  for (const auto& each : statements_) all.push_back(each->statement());
  return all;
}

std::size_t Flow::index_of(std::string_view recovery_point) const {
  for (std::size_t i = 0; i < steps().size(); ++i) {
    if (steps()[i].recovery_point == recovery_point) return i;
  }
  throw std::logic_error("no phase at recovery point " + std::string(recovery_point));
}

// Stretches that end alike share their last statements.
const ComposedStatement* Flow::statement(std::string name, std::string sql) {
  for (const auto& each : statements_) {
    if (name == each->statement().name) return each.get();
  }
  return statements_.emplace_back(std::make_unique<ComposedStatement>(std::move(name), std::move(sql))).get();
}

// The step at which the statement that begins with this one ends.
std::size_t Flow::end_of_statement(std::size_t step, bool is_answered) const {
  for (std::size_t i = step; i < steps().size(); ++i) {
    const bool is_done = is_answered && i == step;
    if (call_at(steps(), i) != nullptr && !is_done) return i;
    if (steps()[i].apart) return i + 1;
  }
  return steps().size();
}

Stretch Flow::stretch_from(std::size_t step, bool is_answered) {
  Stretch stretch;
  while (stretch.next_call == nullptr && step < steps().size()) {
    const std::size_t end = end_of_statement(step, is_answered);
    StatementParts parts{.recovery_point = steps()[step].recovery_point, .is_answered = is_answered};
    for (std::size_t i = 0; i < step; ++i) parts.bodies.emplace_back(body_of(steps()[i]).reads);
    for (std::size_t i = step; i < end; ++i) {
      parts.bodies.emplace_back(body_of(steps()[i]).makes);
      parts.may_refuse = parts.may_refuse || may_refuse(steps()[i]);
    }
    if (end == steps().size()) {
      parts.end = UntilFinished{&declaration_.answer};
    } else if (const ForeignPhase* call = call_at(steps(), end);
               call != nullptr && (end == step || !steps()[end - 1].apart)) {
      parts.end = UntilCall{steps()[end].recovery_point, call};
      stretch.next_call = call;
    } else {
      parts.end = UntilPoint{steps()[end].recovery_point};
    }
    std::string name = declaration_.name + (is_answered ? ".after_" : ".from_");
    name += parts.recovery_point;
    stretch.statements.push_back(statement(std::move(name), compose(parts)));
    step = end;
    is_answered = false;
  }
  return stretch;
}

}  // namespace rocket::idempotency
