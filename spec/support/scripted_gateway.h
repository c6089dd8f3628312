#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "rocket/payments/charge_gateway.h"
#include "spec/support/gate.h"

namespace rocket::spec {

// A payment provider that does what a test tells it, and records its calls. Like a real provider, it charges
// once for each charge key and refunds once for each refund key. Unlike a real provider, it refunds a charge
// twice for two refund keys, so that a test can see the second request. Thread safe.
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
    // If set, the call waits here before it does anything. Must outlive the call.
    Gate* wait_at = nullptr;
  };

  // The behaviour of the next calls, in order of arrival. All later calls charge.
  void plan(std::vector<Step> steps);
  void plan(Behaviour behaviour, int times = 1);
  // Runs `hook` first in every charge(), on the caller's thread. refund() does not run it.
  void on_charge(std::function<void(const payments::ChargeRequest&)> hook);
  // From now on find() and find_refund() have no definite answer.
  void forget_everything();

  // All calls of charge(), in order of arrival.
  std::vector<payments::ChargeRequest> calls() const;
  // The charge keys that moved money, with the id of the charge.
  std::map<std::string, std::string> charges() const;
  // Likewise for refund().
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
