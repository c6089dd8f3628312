#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "rocket/endpoints/credentials.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/paths.h"
#include "spec/support/requests.h"

// How a person is forgotten, and how old rides and audit records go.
namespace rocket::spec {
namespace {

using testing::HasSubstr;

class PersonalData : public testing::Test {
 protected:
  Finished forget(const std::string& email = kUser) {
    return run_to_end("api", {{"DATABASE_URL", database_.url()}}, {"--forget-user", email});
  }
  // Every row of every table as text.
  std::string everything() {
    std::string all;
    const auto tables = database_.rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()");
    for (const auto& table : tables) {
      for (const auto& row : database_.rows("SELECT to_json(t)::text FROM " + *table.at(0) + " t")) {
        all += *table.at(0) + ' ' + *row.at(0) + '\n';
      }
    }
    return all;
  }

  TestDatabase database_;
};

TEST_F(PersonalData, IsForgottenAndWhatMustStayStays) {
  const ApiProcess api(database_);
  const std::string places = "origin_lat=11.125&origin_lon=-22.25&target_lat=33.5&target_lon=44.0625";
  ASSERT_EQ(api.send(ride_request(new_key(), kUser, places)).status, 201);
  ASSERT_EQ(api.send(ride_request(new_key(), kUser, places)).status, 201);
  ASSERT_EQ(api.send(cancel_request("2")).status, 200);
  ASSERT_EQ(api.send(deposit_request(kUser, "7")).status, 201);
  ASSERT_EQ(api.send(ride_request(new_key(), kDeclinedUser)).status, 402);
  ASSERT_EQ(
      run_to_end("api", {{"DATABASE_URL", database_.url()}}, {"--create-token", kUser, "--name", "my phone"})
          .exit.code,
      0);
  database_.execute(
      "INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data) "
      "VALUES ('key_closed', 'user', 1, 1, '192.0.2.9', '{\"operator\": \"user 7\"}')");
  const std::string money =
      "SELECT string_agg(concat_ws(' ', r.id, r.price_cents, r.stripe_charge_id, stripe_refund_id), ',' "
      "ORDER BY r.id)"
      " || (SELECT balance FROM accounts) FROM rides r LEFT JOIN refunds ON ride_id = r.id";
  const std::string audit =
      "SELECT string_agg(concat_ws(' ', action, resource_id), ',' ORDER BY id) FROM audit_records"
      " WHERE action <> 'forgotten'";
  const std::string money_before = database_.value(money);
  const std::string audit_before = database_.value(audit);

  const Finished done = forget();
  ASSERT_EQ(done.exit.code, 0) << done.output;
  EXPECT_THAT(done.output, HasSubstr("cus_user"));
  const std::string left = everything();
  for (const std::string& trace :
       {std::string("\"user@example.com\""), std::string("\"cus_user\""), std::string("11.125"),
        std::string("22.25"), std::string("33.5"), std::string("44.0625"), std::string("my phone")}) {
    EXPECT_EQ(left.find(trace), std::string::npos) << left;
  }
  EXPECT_EQ(
      database_.count("audit_records", "user_id = 1 AND origin_ip IS NOT NULL AND NOT data ? 'operator'"), 0);
  EXPECT_EQ(database_.count("audit_records", "origin_ip = '192.0.2.9'"), 1) << "that of an operator";
  EXPECT_EQ(database_.value(money), money_before);
  EXPECT_EQ(database_.value(audit), audit_before);
  EXPECT_EQ(database_.count("audit_records", "action = 'token_created' AND data ? 'token'"), 1);
  EXPECT_EQ(database_.count("audit_records", "action = 'forgotten' AND data ? 'operator'"), 1);
  EXPECT_EQ(api.send(get_request("/account")).status, 401);
  EXPECT_EQ(api.send(get_request("/account", database_.value("SELECT email FROM users WHERE id = 1"))).status,
            401);
  EXPECT_EQ(database_.count("idempotency_keys"), 1) << "another user's";
  EXPECT_EQ(forget().exit.code, 1) << "there is no such user any more";
}

TEST_F(PersonalData, IsNotForgottenWhileARequestIsUnfinished) {
  for (const char* state : {"parked_at = now(), last_error = 'x'", "parked_at = NULL"}) {
    database_.execute(
        "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
        "request_params) "
        "VALUES (gen_random_uuid(), 1, $1, 'POST', '/rides', '{}')",
        {new_key()});
    database_.execute(std::string("UPDATE idempotency_keys SET ") + state);
    const Finished refused = forget();
    EXPECT_EQ(refused.exit.code, 1);
    EXPECT_THAT(refused.output, HasSubstr("has unfinished requests: "));
    EXPECT_EQ(database_.count("users", "email = 'user@example.com' AND disabled_at IS NULL"), 1);
  }
}

// Nothing of a forgotten user may come behind it, and nothing that was begun may stay half done: either the
// request is there before, or it is refused.
TEST_F(PersonalData, IsForgottenUnderTraffic) {
  const Ledger ledger;
  const ApiProcess api(database_, {{"MOCK_LEDGER", ledger.path()}, {"MOCK_LATENCY_MS", "5"}});
  const endpoints::ApiToken token = endpoints::make_api_token();
  database_.execute(
      "INSERT INTO api_tokens (id, token_hash, user_id, name, scopes) VALUES ($1, $2, 1, 'spec', "
      "'{read,write}')",
      {token.id, token.hash});
  std::atomic<bool> stop{false};
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&, i] {
      while (!stop.load()) api.send(ride_request(new_key(), i == 0 ? kUser : "Bearer " + token.text));
    });
  }
  EXPECT_TRUE(eventually([&] { return database_.count("rides") > 20; }));
  // Mostly some request is unfinished, and it is refused.
  EXPECT_TRUE(eventually([&] { return forget().exit.code == 0; }));
  EXPECT_EQ(api.send(ride_request(new_key(), "Bearer " + token.text)).status, 401);
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
  EXPECT_EQ(database_.count("rides", "origin_lat <> 0"), 0);
  EXPECT_EQ(database_.count("rides", "stripe_charge_id IS NULL"), 0);
  EXPECT_EQ(database_.count("audit_records", "origin_ip IS NOT NULL"), 0);
  EXPECT_EQ(static_cast<std::size_t>(database_.count("rides")), ledger.calls().size());
}

// It is done as a whole, or not at all.
TEST_F(PersonalData, StaysAsItIsWhenItCannotBeForgotten) {
  const ApiProcess api(database_);
  ASSERT_EQ(api.send(ride_request(new_key())).status, 201);
  database_.execute(
      "INSERT INTO api_tokens (id, token_hash, user_id, name, scopes) "
      "VALUES ('0123456789ab', repeat('0', 64), 1, 'spec', '{read}')");
  const std::string before = everything();
  {
    SqlSession other = database_.open_session();
    other.execute("BEGIN");
    other.execute("UPDATE api_tokens SET name = 'held'");
    EXPECT_EQ(run_to_end("api", {{"DATABASE_URL", database_.url()}, {"DATABASE_TIMEOUT_MS", "400"}},
                         {"--forget-user", kUser})
                  .exit.code,
              1);
    other.execute("ROLLBACK");
  }
  EXPECT_EQ(everything(), before);
  // Nobody could find the customer at the payment provider any more.
  EXPECT_EQ(run_to_end("/bin/sh", {{"DATABASE_URL", database_.url()}},
                       {"-c", "exec '" + program("api") + "' --forget-user " + kUser + " >/dev/full"})
                .exit.code,
            1);
  EXPECT_EQ(everything(), before);
}

TEST_F(PersonalData, OfRidesAndAuditorsGoesAfterItsTime) {
  const ApiProcess api(database_);
  const std::string open = new_key();
  for (int i = 0; i < 4; ++i) ASSERT_EQ(api.send(ride_request(new_key())).status, 201);
  ASSERT_EQ(api.send(ride_request(open)).status, 201);
  ASSERT_EQ(api.send(cancel_request("2")).status, 200);
  database_.execute("UPDATE rides SET created_at = created_at - interval '100 days' WHERE id <> 4");
  database_.execute(
      "UPDATE audit_records SET created_at = created_at - CASE WHEN id = 1 THEN interval '100 days' "
      "WHEN id = 2 THEN interval '20 days' ELSE interval '0' END");
  database_.execute(
      "UPDATE refunds SET created_at = created_at - interval '100 days', refunded_at = refunded_at - "
      "interval '100 days'");
  database_.execute(
      "UPDATE idempotency_keys SET finished_at = finished_at - interval '4 days' WHERE idempotency_key <> $1",
      {open});
  {
    const ChildProcess forever("reaper", {{"DATABASE_URL", database_.url()}, {"REAPER_IDLE_MS", "20"}});
    EXPECT_TRUE(eventually([&] { return database_.count("idempotency_keys") == 1; })) << forever.output();
    EXPECT_EQ(database_.count("rides"), 5);
  }
  const ChildProcess reaper("reaper", {{"DATABASE_URL", database_.url()},
                                       {"REAPER_IDLE_MS", "20"},
                                       {"RIDE_RETENTION_S", "7776000"},
                                       {"AUDIT_RETENTION_S", "60"}});
  // The fourth ride is young, and the key of the fifth can still be sent again.
  EXPECT_TRUE(eventually([&] {
    return database_.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM rides") == "4 5";
  })) << reaper.output();
  EXPECT_EQ(database_.count("refunds"), 0);
  EXPECT_TRUE(eventually([&] { return database_.count("audit_records", "id = 1") == 0; })) << reaper.output();
  EXPECT_EQ(database_.count("audit_records", "id = 2"), 1)
      << "younger than the 30 days that the database insists on";
  EXPECT_TRUE(reaper.running());
}

}  // namespace
}  // namespace rocket::spec
