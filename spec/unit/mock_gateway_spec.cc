#include "rocket/payments/mock_gateway.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include "rocket/base/ids.h"
#include "rocket/process/event_loop.h"

namespace rocket::payments {
namespace {

// The name of a new file, which the destructor removes.
class TemporaryFile {
 public:
  TemporaryFile() : path_(testing::TempDir() + "ledger-" + random_uuid()) {}
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }
  std::vector<std::string> lines() const {
    std::ifstream file(path_);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }

 private:
  std::string path_;
};

ChargeRequest request(const std::string& key, const std::string& customer = "cus_user") {
  return {key, customer, 2000, "usd", "7"};
}

ChargeResult charge(MockGateway& gateway, const ChargeRequest& request) {
  process::EventLoop loop;
  return loop.run(gateway.charge(request));
}

LookupResult find(MockGateway& gateway, const ChargeRequest& request) {
  process::EventLoop loop;
  return loop.run(gateway.find(request));
}

std::string charge_id(const ChargeResult& result) {
  const auto* charged = std::get_if<Charged>(&result);
  return charged == nullptr ? "" : charged->charge_id;
}

RefundResult refund(MockGateway& gateway, const RefundRequest& request) {
  process::EventLoop loop;
  return loop.run(gateway.refund(request));
}

RefundLookupResult find_refund(MockGateway& gateway, const RefundRequest& request) {
  process::EventLoop loop;
  return loop.run(gateway.find_refund(request));
}

std::string refund_id(const RefundResult& result) {
  const auto* refunded = std::get_if<Refunded>(&result);
  return refunded == nullptr ? "" : refunded->refund_id;
}

TEST(MockGateway, ChargesOnceForEachKey) {
  MockGateway gateway({});
  const std::string key = random_uuid();
  const std::string first = charge_id(charge(gateway, request(key)));
  EXPECT_NE(first, "");
  EXPECT_EQ(charge_id(charge(gateway, request(key))), first);
  EXPECT_NE(charge_id(charge(gateway, request(random_uuid()))), first);
}

TEST(MockGateway, RemembersAcrossProcesses) {
  const std::string key = random_uuid();
  MockGateway before({});
  MockGateway after({});
  EXPECT_EQ(charge_id(charge(before, request(key))), charge_id(charge(after, request(key))));
}

TEST(MockGateway, DeclinesOneCustomer) {
  MockGateway gateway({});
  const auto result = charge(gateway, request(random_uuid(), MockGateway::kDeclinedCustomer));
  ASSERT_TRUE(std::holds_alternative<Declined>(result));
  EXPECT_FALSE(std::get<Declined>(result).reason.empty());
}

TEST(MockGateway, ChargesNothingDuringAnOutage) {
  const TemporaryFile ledger;
  MockOptions options;
  options.outage_percent = 100;
  options.ledger = ledger.path();
  MockGateway gateway(options);
  const auto wanted = request(random_uuid());
  EXPECT_TRUE(std::holds_alternative<NoAnswer>(charge(gateway, wanted)));
  EXPECT_TRUE(ledger.lines().empty());
  EXPECT_TRUE(std::holds_alternative<NeverCharged>(find(gateway, wanted)));
}

TEST(MockGateway, ChargesWhenTheAnswerIsLost) {
  const TemporaryFile ledger;
  MockOptions options;
  options.lost_percent = 100;
  options.ledger = ledger.path();
  MockGateway gateway(options);
  const auto wanted = request(random_uuid());
  EXPECT_TRUE(std::holds_alternative<NoAnswer>(charge(gateway, wanted)));
  ASSERT_EQ(ledger.lines().size(), 1U);
  EXPECT_TRUE(ledger.lines()[0].ends_with(" lost")) << ledger.lines()[0];
  const auto found = find(gateway, wanted);
  ASSERT_TRUE(std::holds_alternative<Charged>(found));
  // A repetition would return the same charge id.
  MockGateway again({});
  EXPECT_EQ(std::get<Charged>(found).charge_id, charge_id(charge(again, wanted)));
}

TEST(MockGateway, WritesALineForEachCall) {
  const TemporaryFile ledger;
  MockOptions options;
  options.ledger = ledger.path();
  MockGateway gateway(options);
  const std::string key = random_uuid();
  const std::string id = charge_id(charge(gateway, request(key)));
  charge(gateway, request(key, MockGateway::kDeclinedCustomer));
  const std::vector<std::string> expected{key + " cus_user 2000 7 " + id + " -",
                                          key + " " + MockGateway::kDeclinedCustomer + " 2000 7 declined -"};
  EXPECT_EQ(ledger.lines(), expected);
}

TEST(MockGateway, ADeclinedCardIsNotFoundAsACharge) {
  const TemporaryFile ledger;
  MockOptions options;
  options.ledger = ledger.path();
  MockGateway gateway(options);
  const auto wanted = request(random_uuid(), MockGateway::kDeclinedCustomer);
  charge(gateway, wanted);
  EXPECT_TRUE(std::holds_alternative<NeverCharged>(find(gateway, wanted)));
}

TEST(MockGateway, CannotLookUpWithoutALedger) {
  MockGateway gateway({});
  EXPECT_TRUE(std::holds_alternative<Unknown>(find(gateway, request(random_uuid()))));
}

TEST(MockGateway, RefundsOnceForEachKey) {
  MockGateway before({});
  MockGateway after({});
  const RefundRequest wanted{random_uuid(), "ch_7", 2000, "7"};
  const std::string first = refund_id(refund(before, wanted));
  EXPECT_TRUE(first.starts_with("re_")) << first;
  EXPECT_EQ(refund_id(refund(after, wanted)), first);
  EXPECT_NE(refund_id(refund(after, {random_uuid(), "ch_7", 2000, "7"})), first);
}

TEST(MockGateway, KeepsItsLedgerOfRefundsToo) {
  const TemporaryFile ledger;
  MockOptions options;
  options.ledger = ledger.path();
  MockGateway gateway(options);
  const RefundRequest wanted{random_uuid(), "ch_7", 2000, "7"};
  EXPECT_TRUE(std::holds_alternative<NeverRefunded>(find_refund(gateway, wanted)));
  const std::string id = refund_id(refund(gateway, wanted));
  EXPECT_EQ(ledger.lines(), std::vector<std::string>{wanted.refund_key + " ch_7 -2000 7 " + id + " -"});
  const RefundLookupResult found = find_refund(gateway, wanted);
  ASSERT_TRUE(std::holds_alternative<Refunded>(found));
  EXPECT_EQ(std::get<Refunded>(found).refund_id, id);

  options.lost_percent = 100;
  MockGateway losing(options);
  EXPECT_TRUE(std::holds_alternative<NoAnswer>(refund(losing, wanted)));
  EXPECT_TRUE(ledger.lines().back().ends_with(" lost"));
  options.outage_percent = 100;
  MockGateway away(options);
  EXPECT_TRUE(std::holds_alternative<NoAnswer>(refund(away, wanted)));
  EXPECT_EQ(ledger.lines().size(), 2U);
  MockGateway forgetful({});
  EXPECT_TRUE(std::holds_alternative<Unknown>(find_refund(forgetful, wanted)));
}

TEST(MockLedger, TellsTheCallsWithAKey) {
  const TemporaryFile ledger;
  MockOptions options;
  options.ledger = ledger.path();
  MockGateway gateway(options);
  MockOptions lossy = options;
  lossy.lost_percent = 100;
  MockGateway losing(lossy);
  const std::string key = random_uuid();
  const std::string id = charge_id(charge(gateway, request(key)));
  charge(losing, request(key));
  charge(gateway, request(random_uuid()));
  charge(gateway, request(key, MockGateway::kDeclinedCustomer));
  const auto entries = MockLedger::read(ledger.path(), key, 100'000);
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].moved, id);
  EXPECT_FALSE(entries[0].answer_lost);
  EXPECT_EQ(entries[1].moved, id);
  EXPECT_TRUE(entries[1].answer_lost);
  EXPECT_EQ(entries[2].moved, std::nullopt);
  // Lines before the window are not read, and neither is a line that begins before it.
  const auto size = static_cast<std::int64_t>(ledger.lines().back().size());
  EXPECT_EQ(MockLedger::read(ledger.path(), key, size + 2).size(), 1U);
  EXPECT_EQ(MockLedger::read(ledger.path(), key, size).size(), 0U);
  EXPECT_TRUE(MockLedger::read("/nonexistent/ledger", key, 100'000).empty());
}

TEST(MockGateway, SpreadsOutagesEvenly) {
  MockOptions options;
  options.outage_percent = 30;
  MockGateway gateway(options);
  int away = 0;
  for (int i = 0; i < 100; ++i) {
    if (std::holds_alternative<NoAnswer>(charge(gateway, request(random_uuid())))) ++away;
  }
  EXPECT_EQ(away, 30);
}

TEST(MockGateway, NeedsALedgerThatCanBeWritten) {
  MockOptions options;
  options.ledger = "/nonexistent/folder/ledger";
  EXPECT_THROW(MockGateway gateway(options), std::system_error);
}

}  // namespace
}  // namespace rocket::payments
