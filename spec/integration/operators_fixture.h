#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "spec/integration/completer_rig.h"
#include "spec/support/api_process.h"
#include "spec/support/api_tokens.h"

namespace rocket::spec {

// An api without a laboratory, and an operator with a token. The operator is no customer.
class OperatorsSpec : public testing::Test {
 protected:
  using json = nlohmann::json;

  std::string operator_bearer() { return make_bearer(database_, kDeclinedUser, "{operate}"); }

  static ClientRequest order(const std::string& deed, const std::string& key_id,
                             const std::string& authorization,
                             const std::string& form = "note=paid+by+phone") {
    return {"POST",
            "/ops/keys/" + key_id + '/' + deed,
            {{"Authorization", authorization}, {"Content-Type", "application/x-www-form-urlencoded"}},
            form};
  }
  json get(const std::string& target) {
    const ClientResponse response = api_.send(get_request(target, operator_));
    EXPECT_EQ(response.status, 200) << target << ": " << response.body;
    return json::parse(response.body, nullptr, false);
  }
  // The ids of the keys that are found.
  std::vector<std::string> find(const std::string& text) {
    std::vector<std::string> ids;
    const json found = get("/ops/requests?find=" + text);
    for (const json& request : found.at("requests")) ids.push_back(request.at("key_id").get<std::string>());
    return ids;
  }

  std::string park(const Abandoned& request = {.recovery_point = "ride_created"}) {
    const std::string id = id_of(abandon(database_, request));
    database_.execute("UPDATE idempotency_keys SET parked_at = now(), last_error = 'too old' WHERE id = $1",
                      {id});
    return id;
  }
  std::string id_of(const std::string& key) { return database_.of_key(key, "id"); }

  TestDatabase database_;
  const std::string operator_ = operator_bearer();
  ApiProcess api_{database_, {{"AUTH", "token"}, {"LOG_FORMAT", "json"}}};
};

}  // namespace rocket::spec
