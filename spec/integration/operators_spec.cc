#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "rocket/base/ids.h"
#include "spec/integration/expectations.h"
#include "spec/integration/operators_fixture.h"

// What operators ask and order over HTTP, below /ops.
namespace rocket::spec {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(OperatorsSpec, AreAskedForCredentialsAndForTheScope) {
  const std::string id = park();
  const std::string customer = make_bearer(database_, kUser, "{read,write}");
  std::vector<ClientRequest> requests{order("resume", id, ""), order("close", id, ""),
                                      order("close", id, "", "note=")};
  for (const char* target : {"/ops/board", "/ops/requests?find=1", "/ops/requests", "/ops/keys/1"}) {
    requests.push_back({"GET", target, {}, ""});
  }
  requests.push_back({"GET", "/ops/keys/" + id, {}, ""});
  for (ClientRequest request : requests) {
    SCOPED_TRACE(request.method + ' ' + request.target);
    std::erase_if(request.headers, [](const auto& field) { return field.first == "Authorization"; });
    expect_failure(api_.send(request), 401, "credentials_missing");
    expect_failure(api_.send(request.with("Authorization", kUser)), 401, "credentials_invalid");
    expect_failure(api_.send(request.with("Authorization", customer)), 403, "insufficient_scope");
    // Who may change money may not operate, and the other way round.
    EXPECT_NE(api_.send(request.with("Authorization", operator_)).status, 403);
  }
  EXPECT_EQ(api_.send(ride_request(new_key(), operator_)).status, 403);
  EXPECT_EQ(database_.count("audit_records"), 1) << "only the operator's";
}

// The same counters that Prometheus reads. Looking at the board is not counted, and counts nothing twice.
TEST_F(OperatorsSpec, FindARequestByWhateverTheyKnowOfIt) {
  // No ride has the number of a user.
  database_.execute("ALTER SEQUENCE rides_id_seq RESTART 1000");
  const std::string key = new_key();
  ASSERT_EQ(api_.send(ride_request(key, make_bearer(database_))).status, 201);
  const std::string id = id_of(key);
  const std::string other = park({.recovery_point = "ride_created", .user = kDeclinedUser});
  const std::string ride = database_.value("SELECT id FROM rides WHERE idempotency_key_id = $1", {id});
  const std::string user = database_.value("SELECT id FROM users WHERE email = $1", {kDeclinedUser});
  using Ids = std::vector<std::string>;
  EXPECT_EQ(find(id), Ids{id});
  EXPECT_EQ(find(key), Ids{id});
  EXPECT_EQ(find("%20" + key + "%20"), Ids{id});
  EXPECT_EQ(find(kUser), Ids{id});
  EXPECT_EQ(find(kDeclinedUser), Ids{other});
  EXPECT_EQ(find(ride), Ids{id});
  EXPECT_EQ(find(user), Ids{other});
  EXPECT_EQ(find("nobody@example.com"), Ids{});
  EXPECT_EQ(find(new_key()), Ids{});
  EXPECT_EQ(find("4711"), Ids{});
  for (const char* query : {"", "?find=", "?find=%00", "?find=%ff", "?other=1"}) {
    const ClientResponse response = api_.send(get_request(std::string("/ops/requests") + query, operator_));
    EXPECT_EQ(response.status, 400) << query << response.body;
  }
  // The key was reaped, its ride stays.
  database_.execute("DELETE FROM idempotency_keys WHERE id = $1", {id});
  const json gone = get("/ops/requests?find=" + ride).at("requests").at(0);
  EXPECT_EQ(gone.at("state"), "gone");
  EXPECT_EQ(get("/ops/keys/" + id).at("request").at("ride").at("id"), std::stoi(ride));
}

TEST_F(OperatorsSpec, FindAHundredOfAUsersManyRequests) {
  database_.execute(
      "WITH made AS (INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, "
      "request_path, "
      "request_params) SELECT gen_random_uuid(), 1, 'one-of-many-of-a-user-' || n, 'POST', '/rides', '{}' "
      "FROM generate_series(1, 150) n RETURNING id) "
      "INSERT INTO rides (idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon, "
      "price_cents) "
      "SELECT id, 1, 0, 0, 0, 0, 2000 FROM made");
  // The keys were reaped, so only the rides tell of them.
  database_.execute("DELETE FROM idempotency_keys");
  const json found = get("/ops/requests?find=" + database_.value("SELECT email FROM users WHERE id = 1"));
  EXPECT_EQ(found.at("requests").size(), 100U);
  EXPECT_EQ(found.at("more"), true);
}

TEST_F(OperatorsSpec, CloseAndResumeOnceHoweverOftenTheyPress) {
  const std::string closed = park();
  const std::string resumed = park();
  const std::string user = database_.value("SELECT id FROM users WHERE email = $1", {kDeclinedUser});
  for (const bool again : {false, true}) {
    const ClientResponse close = api_.send(order("close", closed, operator_));
    ASSERT_EQ(close.status, 200) << close.body;
    const json answer = json::parse(close.body);
    EXPECT_EQ(answer.at("already"), again);
    EXPECT_EQ(answer.at("request").at("state"), "closed");
    EXPECT_EQ(answer.at("request").at("operators").at(0).at("operator"), "user " + user);
    EXPECT_EQ(answer.at("request").at("operators").size(), 1U);
    const ClientResponse resume = api_.send(order("resume", resumed, operator_, ""));
    ASSERT_EQ(resume.status, 200) << resume.body;
    EXPECT_EQ(json::parse(resume.body).at("already"), again);
    EXPECT_EQ(json::parse(resume.body).at("request").at("state"), "waiting");
  }
  EXPECT_EQ(database_.count(
                "audit_records",
                "action = 'key_closed' AND data->>'note' = 'paid by phone' AND origin_ip = '127.0.0.1'"),
            1);
  EXPECT_EQ(database_.count("audit_records"), 2);
  EXPECT_EQ(database_.count("key_attempts", "process = 'api' AND outcome IN ('closed', 'resumed')"), 2);
  expect_failure(api_.send(order("resume", closed, operator_)), 409, "key_closed");
  expect_failure(api_.send(order("resume", id_of(abandon(database_)), operator_)), 409, "key_not_parked");
  expect_failure(api_.send(order("close", resumed, operator_)), 409, "key_not_parked");
  for (const std::string& id : {random_uuid(), std::string("1"), std::string("x")}) {
    expect_failure(api_.send(order("close", id, operator_)), 404, "idempotency_key_not_found");
  }
  EXPECT_EQ(database_.count("audit_records"), 2);
  EXPECT_THAT(api_.process().output(), HasSubstr("closed by an operator"));
  EXPECT_THAT(api_.process().output(), Not(HasSubstr("paid by phone"))) << "a note may tell of a person";
}

TEST_F(OperatorsSpec, MustSayWhyTheyClose) {
  const std::string id = park();
  expect_failure(api_.send(order("close", id, operator_, "")), 422, "parameter_missing");
  for (const std::string& note :
       {std::string(), std::string("++"), std::string("%1b[2J"), std::string(1001, 'x')}) {
    expect_failure(api_.send(order("close", id, operator_, "note=" + note)), 422, "parameter_invalid");
  }
  expect_failure(api_.send(order("close", id, operator_, "note=%ff")), 400, "body_malformed");
  EXPECT_EQ(database_.of_key(database_.value("SELECT idempotency_key FROM idempotency_keys"), "finished_at"),
            "NULL");
  ClientRequest as_json = order("close", id, operator_, R"({"note": "☎ line\nbreak"})");
  as_json.headers.back().second = "application/json";
  EXPECT_EQ(api_.send(as_json).status, 200);
  EXPECT_EQ(database_.value("SELECT data->>'note' FROM audit_records"), "☎ line\nbreak");
}

TEST_F(OperatorsSpec, GiveOppositeOrdersAtOnceAndOneIsCarriedOut) {
  for (int round = 0; round < 10; ++round) {
    const std::string id = park();
    std::vector<int> statuses(8);
    std::vector<std::thread> operators;
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      operators.emplace_back(
          [&, i] { statuses[i] = api_.send(order(i % 2 == 0 ? "close" : "resume", id, operator_)).status; });
    }
    for (std::thread& each : operators) each.join();
    const bool is_closed =
        database_.count("idempotency_keys", "id = '" + id + "' AND response_code = 410") == 1;
    for (std::size_t i = 0; i < statuses.size(); ++i)
      EXPECT_EQ(statuses[i], (i % 2 == 0) == is_closed ? 200 : 409);
    EXPECT_EQ(database_.count("audit_records", "data->>'key_id' = '" + id + "'"), 1);
    EXPECT_EQ(database_.count("key_attempts", "key_id = '" + id + "'"), 1);
  }
}

// A thousand operators, each with a token of their own, look and look again.

}  // namespace
}  // namespace rocket::spec
