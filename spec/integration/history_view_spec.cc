#include <gtest/gtest.h>

#include <set>
#include <string>

#include "rocket/endpoints/credentials.h"
#include "rocket/process/host_name.h"
#include "spec/integration/expectations.h"
#include "spec/integration/queries_fixture.h"

// What GET /idempotency-keys/{key} shows of the history of a key, and to whom. history_spec.cc has what is
// written.
namespace rocket::spec {
namespace {

class HistoryView : public QueriesSpec {
 protected:
  void fail_once() {
    ASSERT_EQ(send(ride_request(key_, kUser, std::string(kRideForm) + "&raise_error=true")).status, 500);
  }
  json history(const std::string& credentials = kUser) {
    return get("/idempotency-keys/" + key_, credentials).at("idempotency_key").at("history");
  }
  std::string token_with(const std::string& scopes, const std::string& user = kUser) {
    const endpoints::ApiToken token = endpoints::make_api_token();
    database_.execute(
        "INSERT INTO api_tokens (id, token_hash, user_id, name, scopes) "
        "SELECT $1, $2, id, 'spec', $3::text[] FROM users WHERE email = $4",
        {token.id, token.hash, scopes, user});
    return "Bearer " + token.text;
  }
  static std::set<std::string> names_in(const json& event) {
    std::set<std::string> names;
    for (const auto& [name, value] : event.items()) names.insert(name);
    return names;
  }
};

TEST_F(HistoryView, IsEmptyForWhatSucceededAtOnce) {
  ASSERT_EQ(send(ride_request(key_)).status, 201);
  EXPECT_EQ(history(), json::array());
}

TEST_F(HistoryView, ShowsTheOwnerWhatHappenedOldestFirst) {
  fail_once();
  ASSERT_EQ(send(ride_request(key_)).status, 201);
  const json events = history();
  ASSERT_EQ(events.size(), 2U);
  for (json event : events) {
    EXPECT_TRUE(event.at("at").is_string());
    event.erase("at");
    EXPECT_EQ(event, event.at("attempt") == 1
                         ? json::parse(R"({"attempt": 1, "outcome": "released", "reason": "failed",
                                           "from": "started", "to": "ride_created"})")
                         : json::parse(R"({"attempt": 2, "outcome": "finished", "reason": null,
                                           "from": "ride_created", "to": "finished"})"));
  }
  EXPECT_EQ(events.at(0).at("attempt"), 1);
}

TEST_F(HistoryView, ShowsInternalsToOperatorsOnly) {
  fail_once();
  const std::set<std::string> of_owner{"attempt", "outcome", "reason", "from", "to", "at"};
  EXPECT_EQ(names_in(history().at(0)), of_owner);
  EXPECT_EQ(names_in(history(token_with("{read,write}")).at(0)), of_owner);
  const json seen = history(token_with("{read,operate}")).at(0);
  EXPECT_EQ(seen.at("process"), "api");
  EXPECT_EQ(seen.at("host"), process::host_name());
  EXPECT_EQ(seen.at("error"), "raise_error was asked for");
  EXPECT_EQ(seen.at("outcome"), "released");
}

TEST_F(HistoryView, ShowsNothingToAnybodyElse) {
  fail_once();
  for (const std::string& other : {std::string(kDeclinedUser), token_with("{read}", kDeclinedUser),
                                   token_with("{read,write,operate}", kDeclinedUser)}) {
    expect_failure(send(get_request("/idempotency-keys/" + key_, other)), 404, "idempotency_key_not_found");
  }
}

TEST_F(HistoryView, ShowsTheNewestHundred) {
  fail_once();
  database_.execute(
      "INSERT INTO key_attempts (key_id, attempt, outcome) "
      "SELECT id, i, 'released' FROM idempotency_keys, generate_series(2, 10000) i ORDER BY i");
  const json events = history();
  ASSERT_EQ(events.size(), 100U);
  EXPECT_EQ(events.front().at("attempt"), 9901);
  EXPECT_EQ(events.back().at("attempt"), 10000);
}

TEST_F(HistoryView, SaysNothingOfWhyACardIsDeclined) {
  fail_once();
  database_.execute("UPDATE users SET stripe_customer_id = 'cus_' || id");
  database_.execute("UPDATE users SET stripe_customer_id = 'cus_user_bad_source' WHERE id = 1");
  ASSERT_EQ(send(ride_request(key_)).status, 402);
  EXPECT_EQ(history().at(1).at("reason"), nullptr);
  EXPECT_EQ(database_.count("key_attempts", "outcome = 'finished' AND error IS NOT NULL"), 0);
}

}  // namespace
}  // namespace rocket::spec
