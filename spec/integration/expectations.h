#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "spec/support/http_client.h"

namespace rocket::spec {

// Checks the parts that all failures have in common.
inline void expect_failure(const ClientResponse& response, int status, const std::string& code) {
  EXPECT_EQ(response.status, status) << response.body;
  EXPECT_EQ(response.code(), code) << response.body;
  EXPECT_EQ(response.header("content-type"), "application/json");
  EXPECT_EQ(response.count("x-request-id"), 1U);
  EXPECT_EQ(response.count("idempotent-replayed"), 0U);
  const auto body = nlohmann::json::parse(response.body, nullptr, false);
  ASSERT_TRUE(body.is_object()) << response.body;
  EXPECT_EQ(body.size(), 2U) << response.body;
  EXPECT_TRUE(body.contains("error") && body["error"].is_string() && body["error"] != "") << response.body;
}

// Checks that the answer tells the client when to retry.
inline void expect_retry_later(const ClientResponse& response) {
  ASSERT_EQ(response.count("retry-after"), 1U) << response.body;
  EXPECT_GE(std::stoi(response.header("retry-after")), 1);
}

}  // namespace rocket::spec
