#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "spec/integration/expectations.h"
#include "spec/support/api_process.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// An api with a provider of its own, and a key for DELETE /rides/{id}.
class CancellationSpec : public testing::Test {
 protected:
  using json = nlohmann::json;

  static ClientRequest cancel(const std::string& ride_id, const std::string& key,
                              const std::string& user = kUser) {
    return cancel_request(ride_id, user).with("Idempotency-Key", key);
  }
  ClientResponse send(const ClientRequest& request) const { return api_.send(request); }
  // Books a ride and returns its id.
  std::string ride(const std::string& key = new_key()) const {
    const auto response = send(ride_request(key));
    EXPECT_EQ(response.status, 201) << response.body;
    return json::parse(response.body).at("ride").at("id").dump();
  }
  std::string state_of(const std::string& ride_id) const {
    return json::parse(send(get_request("/rides/" + ride_id)).body).at("ride").at("state").get<std::string>();
  }
  // Sends the request while the provider gives no definite answer, either with or without having refunded.
  void lose_the_answer(const ClientRequest& request, bool refunded) const {
    provider_.fail(std::string("kind=status&status=500&should_retry=false&charged=") +
                   (refunded ? "true" : "false"));
    const auto response = send(request);
    expect_failure(response, 503, "payment_unavailable");
    expect_retry_later(response);
  }
  std::size_t refund_attempts() const { return provider_.ledger()["refund_attempts"].size(); }
  std::int64_t cancellation_keys() {
    return database_.count("idempotency_keys", "request_method = 'DELETE'");
  }

  void expect_one_refund(const std::string& ride_id) {
    const json refunds = provider_.ledger()["refunds"];
    ASSERT_EQ(refunds.size(), 1U) << refunds;
    EXPECT_EQ(refunds[0]["charge"], database_.value("SELECT stripe_charge_id FROM rides"));
    EXPECT_EQ(refunds[0]["amount"], 2000);
    EXPECT_EQ(refunds[0]["id"], database_.value("SELECT stripe_refund_id FROM refunds"));
    EXPECT_EQ(database_.value("SELECT ride_id FROM refunds"), ride_id);
    EXPECT_EQ(database_.count("staged_jobs", "job_name = 'send_refund_receipt'"), 1);
    EXPECT_EQ(database_.value("SELECT job_args->>'ride_id' FROM staged_jobs WHERE job_name LIKE '%refund%'"),
              ride_id);
    EXPECT_EQ(database_.count("audit_records", "action = 'cancelled' AND resource_type = 'ride'"), 1);
    EXPECT_EQ(state_of(ride_id), "cancelled");
  }
  void expect_nothing_done() {
    EXPECT_EQ(cancellation_keys(), 0);
    EXPECT_EQ(database_.count("refunds"), 0);
    EXPECT_EQ(database_.count("staged_jobs", "job_name = 'send_refund_receipt'"), 0);
    EXPECT_EQ(database_.count("audit_records", "action = 'cancelled'"), 0);
    EXPECT_EQ(refund_attempts(), 0U);
  }

  TestDatabase database_;
  PaymentProvider provider_;
  ApiProcess api_{database_, provider_.environment()};
  const std::string key_ = new_key();
};

}  // namespace rocket::spec
