#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "payments/charge_gateway.h"
#include "spec/support/gate.h"

namespace rocket::spec {

// A payment provider that does what a test tells it, and keeps its own account of what it did. Like a real
// one, it charges once for each charge key, and refunds once for each refund key; but it would refund a
// charge twice for two keys, to show that it was asked to. Thread safe.
class ScriptedGateway : public payments::ChargeGateway {
 public:
  enum class Behaviour {
    kCharges,  // or refunds
    kDeclines,
    kRejects,
    kIsAway,       // no answer, and no effect
    kIsBusy,       // the same, because of another call with the same key
    kLosesAnswer,  // charges or refunds, and gives no answer
    kThrows,
  };
  struct Step {
    Behaviour behaviour = Behaviour::kCharges;
    // Where the call waits before it does anything, if anywhere; must outlive the call.
    Gate* wait_at = nullptr;
  };

  // What the next calls do, in the order in which they arrive; after that, each charges.
  void plan(std::vector<Step> steps);
  void plan(Behaviour behaviour, int times = 1);
  // Run in every call of charge(), not of refund(), before anything else, on the caller's thread.
  void on_charge(std::function<void(const payments::ChargeRequest&)> hook);
  // From now on find() and find_refund() cannot say.
  void forget_everything();

  // Every call of charge(), in order of arrival.
  std::vector<payments::ChargeRequest> calls() const;
  // Charge keys that moved money, with the charge's id.
  std::map<std::string, std::string> charges() const;
  // Every call of refund(), and refund keys that moved money.
  std::vector<payments::RefundRequest> refund_calls() const;
  std::map<std::string, std::string> refunds() const;
  std::size_t lookups() const;

  asio::awaitable<payments::ChargeResult> charge(payments::ChargeRequest request) override;
  asio::awaitable<payments::LookupResult> find(payments::ChargeRequest request) override;
  asio::awaitable<payments::RefundResult> refund(payments::RefundRequest request) override;
  asio::awaitable<payments::RefundLookupResult> find_refund(payments::RefundRequest request) override;

 private:
  Step arrive(const payments::ChargeRequest& request);
  Step next_step();
  std::string charge_id_for(const std::string& charge_key);
  std::string refund_id_for(const std::string& refund_key);

  mutable std::mutex mutex_;
  std::deque<Step> plan_;
  std::function<void(const payments::ChargeRequest&)> hook_;
  std::vector<payments::ChargeRequest> calls_;
  std::map<std::string, std::string> charges_;
  std::vector<payments::RefundRequest> refund_calls_;
  std::map<std::string, std::string> refunds_;
  std::size_t lookups_ = 0;
  bool knows_nothing_ = false;
};

}  // namespace rocket::spec
