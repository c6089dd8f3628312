#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "rocket/payments/charge_gateway.h"

namespace rocket::payments {

enum class Fault {
  // The provider is not reached: no charge, no answer.
  kDown,
  // The provider charges, and its answer is lost.
  kAnswerLost,
  // The provider charges and answers. Then our side stalls for a while before it uses the answer.
  kStall,
};

// The names are down, answer-lost and stall. Returns nullopt for any other name.
std::optional<Fault> fault_named(std::string_view name);

// A gateway on which every charge goes wrong in one way. It is made for one request, so it does not affect
// others.
class FaultyGateway : public ChargeGateway {
 public:
  static constexpr std::chrono::seconds kStallTime{20};

  // `gateway` must outlive this one.
  FaultyGateway(ChargeGateway& gateway, Fault fault, std::chrono::milliseconds stall_time = kStallTime)
      : gateway_(gateway), fault_(fault), stall_time_(stall_time) {}

  asio::awaitable<ChargeResult> charge(ChargeRequest request) override;
  // All other calls work as usual.
  asio::awaitable<LookupResult> find(ChargeRequest request) override {
    return gateway_.find(std::move(request));
  }
  asio::awaitable<RefundResult> refund(RefundRequest request) override {
    return gateway_.refund(std::move(request));
  }
  asio::awaitable<RefundLookupResult> find_refund(RefundRequest request) override {
    return gateway_.find_refund(std::move(request));
  }

 private:
  ChargeGateway& gateway_;
  Fault fault_;
  std::chrono::milliseconds stall_time_;
};

}  // namespace rocket::payments
