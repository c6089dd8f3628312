#include "api/admission.h"

#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <list>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "rocket/base/log.h"
// Admission decides whose request may be worked on.
namespace rocket::api {
namespace {

using Refusal = Admission::Refusal;

// A gateway that never answers.
class SilentGateway : public payments::ChargeGateway {
 public:
  asio::awaitable<payments::ChargeResult> charge(payments::ChargeRequest) override {
    co_await wait();
    co_return payments::NoAnswer{};
  }
  asio::awaitable<payments::LookupResult> find(payments::ChargeRequest) override {
    co_await wait();
    co_return payments::NoAnswer{};
  }
  asio::awaitable<payments::RefundResult> refund(payments::RefundRequest) override {
    co_await wait();
    co_return payments::NoAnswer{};
  }
  asio::awaitable<payments::RefundLookupResult> find_refund(payments::RefundRequest) override {
    co_await wait();
    co_return payments::NoAnswer{};
  }

 private:
  static asio::awaitable<void> wait() {
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::use_awaitable);
  }
};

class AdmissionSpec : public testing::Test {
 protected:
  // A line of 20 places: five for each caller, five for each address, ten for requests that call the
  // provider.
  static AdmissionOptions options() {
    return {.max_in_flight = 20,
            .caller_share = 25,
            .address_share = 25,
            .provider_share = 50,
            .waiting_share = 10};
  }

  std::optional<Refusal> enter(const Caller& caller, bool calls_provider = false) {
    auto admitted = admission_.enter(caller, calls_provider);
    if (const auto* refusal = std::get_if<Refusal>(&admitted)) return *refusal;
    slots_.push_back(std::move(std::get<Admission::Slot>(admitted)));
    return std::nullopt;
  }

  Caller known(const std::string& user) {
    admission_.know(user, "id of " + user);
    return {user, kAddress};
  }

  // Begins this many calls, which the provider never answers.
  void call_provider(int count) {
    for (int i = 0; i < count; ++i) asio::co_spawn(context_, provider_.charge({}), asio::detached);
    context_.poll();
  }

  const std::string kAddress = "192.0.2.1";
  Log log_;
  SilentGateway gateway_;
  payments::CircuitBreaker provider_{gateway_, {}, log_};
  Admission admission_{options(), provider_};
  std::list<Admission::Slot> slots_;
  // The last member, so that it is destroyed first, together with the calls that never end.
  asio::io_context context_;
};

TEST_F(AdmissionSpec, GivesACallerNoMoreThanItsShare) {
  const Caller caller = known("one@example.com");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(enter(caller), std::nullopt);
  EXPECT_EQ(enter(caller), Refusal::kTooManyOfOneCaller);
  EXPECT_EQ(enter(known("other@example.com")), std::nullopt);
}

TEST_F(AdmissionSpec, GivesASlotBackWhenItsRequestEnds) {
  const Caller caller = known("one@example.com");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(enter(caller), std::nullopt);
  slots_.pop_back();
  EXPECT_EQ(enter(caller), std::nullopt);
  EXPECT_EQ(enter(caller), Refusal::kTooManyOfOneCaller);
}

TEST_F(AdmissionSpec, RefusesEverybodyWhenTheLineIsFull) {
  for (const char* user : {"a@example.com", "b@example.com", "c@example.com", "d@example.com"}) {
    const Caller caller = known(user);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(enter(caller), std::nullopt);
  }
  EXPECT_EQ(enter(known("e@example.com")), Refusal::kOverloaded);
  EXPECT_EQ(enter({"a@example.com", kAddress}), Refusal::kOverloaded);
}

// Invented names do not give a stranger more places.
TEST_F(AdmissionSpec, CountsStrangersByTheirAddress) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(enter({"nobody-" + std::to_string(i) + "@example.com", kAddress}), std::nullopt);
  }
  EXPECT_EQ(enter({"nobody-5@example.com", kAddress}), Refusal::kTooManyOfOneCaller);
  EXPECT_EQ(enter({"", kAddress}), Refusal::kTooManyOfOneCaller);
  EXPECT_EQ(enter({"nobody-5@example.com", "192.0.2.2"}), std::nullopt);
  EXPECT_EQ(enter(known("one@example.com")), std::nullopt);
}

TEST_F(AdmissionSpec, AStrangerWhoBecomesKnownIsCountedOnceEach) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(enter({"one@example.com", kAddress}), std::nullopt);
  const Caller caller = known("one@example.com");
  EXPECT_EQ(enter(caller), std::nullopt);
  slots_.clear();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(enter(caller), std::nullopt);
  EXPECT_EQ(enter(caller), Refusal::kTooManyOfOneCaller);
}

// A request that waits for another attempt at its key calls nobody.
TEST_F(AdmissionSpec, CountsNoCallThatIsPaused) {
  const Caller others[] = {known("a@example.com"), known("b@example.com")};
  for (const Caller& caller : others) {
    for (int i = 0; i < 5; ++i) EXPECT_EQ(enter(caller, true), std::nullopt);
  }
  EXPECT_EQ(enter(known("c@example.com"), true), Refusal::kOverloaded);
  Admission::Slot& paused = slots_.front();
  EXPECT_TRUE(paused.begin_wait());
  EXPECT_EQ(enter(others[0]), Refusal::kTooManyOfOneCaller);
  EXPECT_EQ(enter(known("c@example.com"), true), std::nullopt);

  paused.end_wait();
  EXPECT_FALSE(paused.may_call_provider());
  slots_.pop_back();
  EXPECT_TRUE(paused.begin_wait());
  paused.end_wait();
  EXPECT_TRUE(paused.may_call_provider());
  EXPECT_EQ(enter(known("c@example.com"), true), Refusal::kOverloaded);
  slots_.clear();
  EXPECT_EQ(enter(known("c@example.com"), true), std::nullopt);
}

// Else four callers could fill the line with requests that wait.
TEST_F(AdmissionSpec, LetsAShareOfTheLineWait) {
  for (const char* user : {"a@example.com", "b@example.com"}) {
    for (int i = 0; i < 2; ++i) EXPECT_EQ(enter(known(user), true), std::nullopt);
  }
  const auto second = std::next(slots_.begin());
  Admission::Slot& third = *std::next(second);
  EXPECT_TRUE(slots_.front().begin_wait());
  EXPECT_TRUE(second->begin_wait());
  EXPECT_FALSE(third.begin_wait());
  EXPECT_TRUE(third.may_call_provider());
  slots_.front().end_wait();
  EXPECT_TRUE(third.begin_wait());
  EXPECT_FALSE(slots_.front().begin_wait());
  slots_.erase(second);
  EXPECT_TRUE(slots_.front().begin_wait());
}

TEST_F(AdmissionSpec, KeepsRoomForOthersWhileTheProviderIsSlow) {
  for (const char* user : {"a@example.com", "b@example.com"}) {
    for (int i = 0; i < 5; ++i) EXPECT_EQ(enter(known(user), true), std::nullopt);
  }
  call_provider(10);
  ASSERT_EQ(enter(known("c@example.com"), true), std::nullopt);
  EXPECT_FALSE(slots_.back().may_call_provider());
  ASSERT_EQ(enter(known("c@example.com"), false), std::nullopt);
  EXPECT_TRUE(slots_.back().may_call_provider());
  slots_.erase(slots_.begin());
  ASSERT_EQ(enter(known("c@example.com"), true), std::nullopt);
  EXPECT_TRUE(slots_.back().may_call_provider());
}

// A request over the provider's share would still look up its key in the slow database, so it is refused at
// once.
TEST_F(AdmissionSpec, AddsNothingToADatabaseThatIsSlow) {
  for (const char* user : {"a@example.com", "b@example.com"}) {
    for (int i = 0; i < 5; ++i) EXPECT_EQ(enter(known(user), true), std::nullopt);
  }
  EXPECT_EQ(enter(known("c@example.com"), true), Refusal::kOverloaded);
  EXPECT_EQ(enter(known("c@example.com"), false), std::nullopt);
}

TEST_F(AdmissionSpec, GivesAUserOneShareForAllCredentials) {
  for (int i = 0; i < 5; ++i) {
    const std::string credentials = "token " + std::to_string(i);
    admission_.know(credentials, "7");
    EXPECT_EQ(enter({credentials, kAddress}), std::nullopt);
    EXPECT_EQ(slots_.back().holder(), "7");
  }
  admission_.know("token 5", "7");
  EXPECT_EQ(enter({"token 5", kAddress}), Refusal::kTooManyOfOneCaller);
}

TEST_F(AdmissionSpec, ForgetsCredentialsThatAreNobodysAnyMore) {
  const Caller caller = known("a@example.com");
  admission_.forget("a@example.com");
  ASSERT_EQ(enter(caller), std::nullopt);
  EXPECT_EQ(slots_.back().holder(), ' ' + kAddress);
}

TEST_F(AdmissionSpec, RemembersAsManyUsersAsItMust) {
  const Caller first = known("first@example.com");
  for (int i = 0; i < 5000; ++i) known("user-" + std::to_string(i) + "@example.com");
  ASSERT_EQ(enter(first), std::nullopt);
  EXPECT_FALSE(slots_.back().should_identify());
  for (int i = 0; i < 50'000; ++i) known("crowd-" + std::to_string(i) + "@example.com");
  ASSERT_EQ(enter(first), std::nullopt);
  EXPECT_TRUE(slots_.back().should_identify());
}

}  // namespace
}  // namespace rocket::api
