#pragma once

#include <gtest/gtest.h>

#include <string>

#include "spec/support/api_process.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// A connection to an api that waits for requests only a moment.
class ConnectionsSpec : public testing::Test {
 protected:
  // A good end includes the check of the leak sanitizer.
  void TearDown() override { expect_good_end(api_.process()); }

  TestDatabase database_;
  ApiProcess api_{database_, {{"API_REQUEST_TIMEOUT_MS", "300"}, {"MOCK_LATENCY_MS", "30"}}};
  HttpConnection connection_ = api_.connect();

  ClientResponse answer_to(const std::string& bytes) {
    connection_.send(bytes);
    return connection_.receive();
  }

  // Expects a refusal and the end of the connection.
  void expect_refused(const std::string& bytes, int status) {
    const auto response = answer_to(bytes);
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_NE(response.code(), "") << response.body;
    EXPECT_EQ(response.header("content-type"), "application/json");
    EXPECT_EQ(response.header("connection"), "close");
    EXPECT_EQ(response.count("x-request-id"), 1U);
    EXPECT_EQ(response.count("date"), 1U);
    EXPECT_TRUE(connection_.ends());
    EXPECT_EQ(database_.count("idempotency_keys"), 0);
  }
};

}  // namespace rocket::spec
