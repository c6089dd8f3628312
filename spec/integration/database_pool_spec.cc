#include <gtest/gtest.h>

#include <string>

#include "spec/support/test_database.h"

// A test that has ended leaves its database to another one, unless it has changed more than rows.
namespace rocket::spec {
namespace {

// The server's name of the database, which stays when the database is renamed.
std::string oid_of(TestDatabase& database) {
  return database.value("SELECT oid FROM pg_database WHERE datname = current_database()");
}

// Whether the database still exists when a test that did this has ended.
bool outlives(const std::string& change) {
  std::string oid;
  {
    TestDatabase database;
    oid = oid_of(database);
    if (!change.empty()) database.execute(change);
  }
  SqlSession session(maintenance_url());
  return session.number("SELECT count(*) FROM pg_database WHERE oid = $1", {oid}) == 1;
}

TEST(DatabasePool, GivesOnlyEmptyDatabases) {
  for (int i = 0; i < 2; ++i) {
    TestDatabase database;
    EXPECT_EQ(database.count("users"), 2);
    EXPECT_EQ(database.count("deposits"), 0);
    EXPECT_EQ(database.value("INSERT INTO deposits (idempotency_key_id, user_id, amount) "
                             "VALUES (gen_random_uuid(), 1, 5) RETURNING id"),
              "1");
    database.execute("DELETE FROM users WHERE id = 2");
  }
}

TEST(DatabasePool, TakesNoneBackThatIsOtherThanANewOne) {
  for (const char* change :
       {"ALTER TABLE rides ADD CHECK (origin_lat <> 12)", "ALTER TABLE rides DROP COLUMN charge_key",
        "ALTER TABLE rides ALTER stripe_charge_id TYPE varchar(80)",
        "ALTER DOMAIN latitude DROP CONSTRAINT latitude_check", "CREATE TABLE more (id int)",
        "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE SCHEMA more",
        "REVOKE INSERT ON rides FROM PUBLIC; GRANT SELECT ON rides TO PUBLIC",
        "INSERT INTO users (email, stripe_customer_id) VALUES ('a@example.com', 'cus_a'); ANALYZE users",
        "DO $$BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET work_mem = 999'; END$$"}) {
    EXPECT_FALSE(outlives(change)) << change;
  }
}

TEST(DatabasePool, TakesTheOthersBack) {
  // When there are enough, more are dropped, and other tests may leave theirs at this moment.
  bool is_kept = false;
  for (int i = 0; i < 20 && !is_kept; ++i) is_kept = outlives("DELETE FROM users");
  EXPECT_TRUE(is_kept);
}

}  // namespace
}  // namespace rocket::spec
