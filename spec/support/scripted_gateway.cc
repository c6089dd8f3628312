#include "spec/support/scripted_gateway.h"

#include <stdexcept>
#include <utility>

namespace rocket::spec {

void ScriptedGateway::plan(std::vector<Step> steps) {
  const std::lock_guard lock(mutex_);
  plan_.insert(plan_.end(), steps.begin(), steps.end());
}

void ScriptedGateway::plan(Behaviour behaviour, int times) {
  for (int i = 0; i < times; ++i) plan(std::vector<Step>{{behaviour, nullptr}});
}

void ScriptedGateway::on_charge(std::function<void(const payments::ChargeRequest&)> hook) {
  const std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

void ScriptedGateway::forget_everything() {
  const std::lock_guard lock(mutex_);
  knows_nothing_ = true;
}

std::vector<payments::ChargeRequest> ScriptedGateway::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::map<std::string, std::string> ScriptedGateway::charges() const {
  const std::lock_guard lock(mutex_);
  return charges_;
}

std::vector<payments::RefundRequest> ScriptedGateway::refund_calls() const {
  const std::lock_guard lock(mutex_);
  return refund_calls_;
}

std::map<std::string, std::string> ScriptedGateway::refunds() const {
  const std::lock_guard lock(mutex_);
  return refunds_;
}

std::size_t ScriptedGateway::lookups() const {
  const std::lock_guard lock(mutex_);
  return lookups_;
}

ScriptedGateway::Step ScriptedGateway::arrive(const payments::ChargeRequest& request) {
  std::function<void(const payments::ChargeRequest&)> hook;
  Step step;
  {
    const std::lock_guard lock(mutex_);
    calls_.push_back(request);
    step = next_step();
    hook = hook_;
  }
  if (hook) hook(request);
  return step;
}

// The caller holds the lock.
ScriptedGateway::Step ScriptedGateway::next_step() {
  if (plan_.empty()) return {};
  const Step step = plan_.front();
  plan_.pop_front();
  return step;
}

std::string ScriptedGateway::refund_id_for(const std::string& refund_key) {
  const std::lock_guard lock(mutex_);
  return refunds_.try_emplace(refund_key, "re_spec_" + refund_key).first->second;
}

std::string ScriptedGateway::charge_id_for(const std::string& charge_key) {
  const std::lock_guard lock(mutex_);
  return charges_.try_emplace(charge_key, "ch_spec_" + charge_key).first->second;
}

asio::awaitable<payments::ChargeResult> ScriptedGateway::charge(payments::ChargeRequest request) {
  const Step step = arrive(request);
  if (step.wait_at != nullptr) co_await step.wait_at->pass();
  switch (step.behaviour) {
    case Behaviour::kCharges:
      break;
    case Behaviour::kDeclines:
      co_return payments::Declined{"Your card was declined.", {}, "stolen_card: reported stolen"};
    case Behaviour::kRejects:
      co_return payments::Rejected{"The account is closed."};
    case Behaviour::kIsAway:
      co_return payments::NoAnswer{"connection refused"};
    case Behaviour::kIsBusy:
      co_return payments::NoAnswer{"the key is in use", true};
    case Behaviour::kLosesAnswer:
      charge_id_for(request.charge_key);
      co_return payments::NoAnswer{"timed out"};
    case Behaviour::kThrows:
      throw std::runtime_error("the gateway threw");
  }
  payments::Charged charged{charge_id_for(request.charge_key)};
  co_return charged;
}

asio::awaitable<payments::LookupResult> ScriptedGateway::find(payments::ChargeRequest request) {
  const std::lock_guard lock(mutex_);
  ++lookups_;
  if (knows_nothing_) co_return payments::Unknown{"the provider keeps nothing that long"};
  const auto found = charges_.find(request.charge_key);
  if (found == charges_.end()) co_return payments::NeverCharged{};
  co_return payments::Charged{found->second};
}

asio::awaitable<payments::RefundResult> ScriptedGateway::refund(payments::RefundRequest request) {
  Step step;
  {
    const std::lock_guard lock(mutex_);
    refund_calls_.push_back(request);
    step = next_step();
  }
  if (step.wait_at != nullptr) co_await step.wait_at->pass();
  switch (step.behaviour) {
    case Behaviour::kCharges:
      break;
    case Behaviour::kDeclines:
    case Behaviour::kRejects:
      co_return payments::Rejected{"The charge is disputed."};
    case Behaviour::kIsAway:
      co_return payments::NoAnswer{"connection refused"};
    case Behaviour::kIsBusy:
      co_return payments::NoAnswer{"the key is in use", true};
    case Behaviour::kLosesAnswer:
      refund_id_for(request.refund_key);
      co_return payments::NoAnswer{"timed out"};
    case Behaviour::kThrows:
      throw std::runtime_error("the gateway threw");
  }
  payments::Refunded refunded{refund_id_for(request.refund_key)};
  co_return refunded;
}

asio::awaitable<payments::RefundLookupResult> ScriptedGateway::find_refund(payments::RefundRequest request) {
  const std::lock_guard lock(mutex_);
  ++lookups_;
  if (knows_nothing_) co_return payments::Unknown{"the provider keeps nothing that long"};
  const auto found = refunds_.find(request.refund_key);
  if (found == refunds_.end()) co_return payments::NeverRefunded{};
  co_return payments::Refunded{found->second};
}

}  // namespace rocket::spec
