#include "rocket/jobs/sidekiq_format.h"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace rocket::jobs {
namespace {

using std::chrono::microseconds;
using Time = std::chrono::sys_time<microseconds>;

Job receipt() {
  return {"3f6cdead-c445-4945-a79a-cf67340b0924", "send_ride_receipt", R"({"ride_id": 7, "note": "á \"b\""})",
          Time(microseconds(1'795'264'445'000'186))};
}

TEST(SidekiqFormat, NamesTheWorkerClassAfterTheJob) {
  EXPECT_EQ(worker_class_of("send_ride_receipt"), "SendRideReceipt");
  EXPECT_EQ(worker_class_of("refund"), "Refund");
  EXPECT_EQ(worker_class_of("SendRideReceipt"), "SendRideReceipt");
  EXPECT_EQ(worker_class_of("send_2_receipts"), "Send2Receipts");
  EXPECT_EQ(worker_class_of("_send__receipt_"), "SendReceipt");
  EXPECT_EQ(worker_class_of("Billing::send_receipt"), "Billing::sendReceipt");
}

TEST(SidekiqFormat, HoldsWhatWorkersNeed) {
  const auto payload =
      nlohmann::json::parse(sidekiq_payload(receipt(), "mail", Time(microseconds(1'795'264'446'500'000))));
  EXPECT_EQ(payload, nlohmann::json::parse(R"({
    "class": "SendRideReceipt", "args": [{"ride_id": 7, "note": "á \"b\""}], "retry": true, "queue": "mail",
    "jid": "3f6cdead-c445-4945-a79a-cf67340b0924", "created_at": 1795264445.000186,
    "enqueued_at": 1795264446.5})"));
}

TEST(SidekiqFormat, HoldsTheTraceOfTheJobIfThereIsOne) {
  Job job = receipt();
  const auto has_trace = [&] {
    return nlohmann::json::parse(sidekiq_payload(job, "mail", Time())).contains("traceparent");
  };
  EXPECT_FALSE(has_trace());
  job.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  EXPECT_TRUE(has_trace());
  EXPECT_EQ(nlohmann::json::parse(sidekiq_payload(job, "mail", Time())).at("traceparent"), job.traceparent);
}

TEST(SidekiqFormat, WritesFractionsOfASecondInFull) {
  const std::string payload =
      sidekiq_payload(receipt(), "default", Time(microseconds(1'795'264'446'000'000)));
  EXPECT_NE(payload.find(R"("created_at":1795264445.000186)"), std::string::npos) << payload;
  EXPECT_NE(payload.find(R"("enqueued_at":1795264446.000000)"), std::string::npos) << payload;
}

TEST(SidekiqFormat, EscapesNamesThatAreNoWords) {
  Job job = receipt();
  job.name = "say \"hello\"\n";
  const auto payload = nlohmann::json::parse(sidekiq_payload(job, "a\\b", Time()));
  EXPECT_EQ(payload.at("class"), "Say \"hello\"\n");
  EXPECT_EQ(payload.at("queue"), "a\\b");
}

}  // namespace
}  // namespace rocket::jobs
