#pragma once

#include <gtest/gtest.h>

#include <string>

#include "spec/integration/expectations.h"
#include "spec/support/api_process.h"
#include "spec/support/held_keys.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"

namespace rocket::spec {

// An answer that no attempt makes.
inline constexpr const char* kAnswer = R"({"message":"held","ride":{"id":7}})";

// Duplicates whose clients prefer to wait.
class WaitingDuplicates : public testing::Test {
 protected:
  Environment with_latency(const std::string& ms) const {
    return {{"MOCK_LEDGER", ledger_.path()}, {"MOCK_LATENCY_MS", ms}};
  }
  static ClientRequest patient(const ClientRequest& request, const std::string& preference = "wait=20") {
    return request.with("Prefer", preference);
  }
  // Sends the request, and returns once it has met the attempt that holds its key: one lane serves all
  // requests with one key, in the order in which they come.
  static void send_to_wait(const ApiProcess& api, HttpConnection& connection, const ClientRequest& request,
                           const ClientRequest& impatient) {
    connection.send(request.to_bytes());
    expect_failure(api.send(impatient), 409, "request_in_progress");
  }
  static void expect_stored(const ClientResponse& answer, int status, const std::string& body,
                            const std::string& applied = "wait=20") {
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.body, body);
    EXPECT_EQ(answer.header("idempotent-replayed"), "true");
    EXPECT_EQ(answer.header("preference-applied"), applied);
  }
  void expect_one_ride() {
    EXPECT_EQ(database_.count("rides"), 1);
    EXPECT_EQ(database_.count("staged_jobs"), 1);
    const ChargesByRide charges = ledger_.charges();
    ASSERT_EQ(charges.size(), 1U);
    EXPECT_EQ(charges.begin()->second.size(), 1U);
  }

  TestDatabase database_;
  Ledger ledger_;
  const std::string key_ = new_key();
};

}  // namespace rocket::spec
