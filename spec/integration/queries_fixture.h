#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "spec/integration/expectations.h"
#include "spec/support/api_process.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// An api with an empty database, and what its GET endpoints show.
class QueriesSpec : public testing::Test {
 protected:
  using json = nlohmann::json;

  ClientResponse send(const ClientRequest& request) const { return api_.send(request); }
  json get(const std::string& target, const std::string& user = kUser) const {
    const auto response = send(get_request(target, user));
    EXPECT_EQ(response.status, 200) << target << ": " << response.body;
    return json::parse(response.body, nullptr, false);
  }
  json key_state(const std::string& key) const {
    return get("/idempotency-keys/" + key).at("idempotency_key");
  }

  void expect_credentials_needed(const std::string& target) {
    expect_failure(send({"GET", target, {}, ""}), 401, "credentials_missing");
    expect_failure(send(get_request(target, "stranger@example.com")), 401, "credentials_invalid");
  }

  TestDatabase database_;
  ApiProcess api_{database_};
  const std::string key_ = new_key();
};

}  // namespace rocket::spec
