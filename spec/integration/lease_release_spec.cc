#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "rocket/pg/errors.h"
#include "rocket/process/block_on.h"
#include "spec/integration/completer_rig.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/engine_rig.h"
#include "spec/support/eventually.h"
#include "spec/support/history.h"
#include "spec/support/requests.h"

// An attempt that ends without an answer releases its key, even if a transaction is in doubt. So no client
// has to wait for a lease under which no process works.
namespace rocket::spec {
namespace {

using Behaviour = ScriptedGateway::Behaviour;
using To = CuttingProxy::To;

// Makes statements wait in the server, as if it were slow, until open() is called.
class ServerGate {
 public:
  explicit ServerGate(const TestDatabase& database) : session_(database.open_session()) {
    session_.execute("SELECT pg_advisory_lock(42)");
    session_.execute(
        "CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  WHILE NOT pg_try_advisory_xact_lock_shared(42) LOOP PERFORM pg_sleep(0.01); END LOOP;"
        "  RETURN NEW; END $$");
  }
  // Every claim waits before it looks at its key.
  void stop_claims() {
    session_.execute(
        "CREATE TRIGGER gate BEFORE INSERT ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION wait_at_gate()");
  }
  // Every commit that has changed a key waits.
  void stop_commits() {
    session_.execute(
        "CREATE CONSTRAINT TRIGGER gate AFTER UPDATE ON idempotency_keys DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION wait_at_gate()");
  }
  bool is_reached_by(std::int64_t backends) {
    return eventually([&] {
      return session_.number(
                 "SELECT count(*) FROM pg_stat_activity"
                 " WHERE datname = current_database() AND wait_event = 'PgSleep'") == backends;
    });
  }
  void open() { session_.execute("SELECT pg_advisory_unlock(42)"); }

 private:
  SqlSession session_;
};

// Creates a trigger function that raises an error.
void create_refusal(TestDatabase& database) {
  database.execute(
      "CREATE SEQUENCE refusals; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
      " $$ BEGIN PERFORM nextval('refusals'); RAISE EXCEPTION 'not now'; END $$");
}

void refuse_updates_when(TestDatabase& database, const std::string& condition) {
  database.execute("CREATE TRIGGER refusal BEFORE UPDATE ON idempotency_keys FOR EACH ROW WHEN (" +
                   condition + ") EXECUTE FUNCTION refuse()");
}

class LeaseRelease : public testing::Test {
 protected:
  bool is_free(const std::string& key) { return database_.of_key(key, "lease") == "NULL"; }
  bool becomes_free(const std::string& key) {
    return eventually([&] { return is_free(key); });
  }

  TestDatabase database_;
  const std::string key_ = new_key();
};

class CompleterInDoubt : public LeaseRelease {
 protected:
  CompleterInDoubt() {
    // The first run prepares the statements.
    EXPECT_EQ(completer_.run_once(), 0);
  }
  // Runs the completer as soon as it is connected again.
  void run_again() {
    EXPECT_TRUE(eventually([&] {
      try {
        completer_.run_once();
        return true;
      } catch (const pg::Unavailable&) {
        return false;
      }
    }));
  }
  void take_in_doubt() {
    proxy_.cut_after(To::kClient, 0);
    EXPECT_THROW(completer_.run_once(), pg::InDoubt);
    EXPECT_TRUE(proxy_.has_acted());
    EXPECT_TRUE(eventually([&] { return !is_free(abandoned_); }));
  }

  CuttingProxy proxy_{database_.url()};
  ScriptedGateway gateway_;
  CompleterRig completer_{proxy_.url(), gateway_};
  std::string abandoned_;
};

TEST_F(CompleterInDoubt, GivesBackWhatItHasTakenWithoutKnowing) {
  abandoned_ = abandon(database_, {.recovery_point = "ride_created"});
  const std::string held_by_another = abandon(database_);
  hold(database_, held_by_another, "1 s");
  take_in_doubt();

  run_again();

  EXPECT_TRUE(is_free(abandoned_));
  EXPECT_FALSE(is_free(held_by_another));
  EXPECT_EQ(database_.of_key(abandoned_, "completions"), "0") << "nobody has worked on it";
  EXPECT_EQ(history_of(database_, abandoned_),
            "1 - lost - started>ride_created\n"
            "2 completer released database_unavailable ride_created>ride_created");
  EngineRig client(database_);
  idempotency::Request request = engine_ride(abandoned_);
  request.params = Abandoned{}.params;
  EXPECT_EQ(describe(client.run(request)), "201");
  EXPECT_TRUE(gateway_.calls().empty());
}

TEST_F(CompleterInDoubt, GivesItBackWhenItMustStop) {
  abandoned_ = abandon(database_);
  take_in_doubt();
  EXPECT_TRUE(eventually([&] {
    try {
      return completer_.release_leases() == 1;
    } catch (const pg::Unavailable&) {
      return false;
    }
  }));
  EXPECT_TRUE(is_free(abandoned_));
}

TEST_F(CompleterInDoubt, GivesBackWhatIsCommittedLater) {
  abandoned_ = abandon(database_);
  ServerGate gate(database_);
  gate.stop_commits();
  auto run = std::async(std::launch::async, [&] { return completer_.run_once(); });
  ASSERT_TRUE(gate.is_reached_by(1));
  proxy_.cut_now();
  EXPECT_THROW(run.get(), pg::InDoubt);
  // The change is not committed yet, so the completer cannot see it.
  run_again();
  EXPECT_TRUE(is_free(abandoned_));

  gate.open();

  EXPECT_TRUE(eventually([&] {
    run_again();
    return database_.of_key(abandoned_, "last_error") == "taken by a completer that never knew";
  }));
  EXPECT_TRUE(is_free(abandoned_));
}

// The engine is cut off in the middle of a request, and again at each claim with which it tries to find out
// how far it got. The server runs these claims only when the key has already been released.
TEST_F(LeaseRelease, ClaimsThatTheServerCarriesOutLaterHoldNothing) {
  CuttingProxy proxy(database_.url());
  EngineRig rig(proxy.url(), RigOptions{.lanes = 1, .batch_limit = 64, .rides = {}, .engine = {}});
  Gate at_provider;
  rig.gateway().plan({{Behaviour::kCharges, &at_provider}});
  auto attempt = rig.start(engine_ride(key_));
  ASSERT_TRUE(at_provider.wait_for_arrivals(1));
  ServerGate gate(database_);
  gate.stop_claims();
  proxy.cut_after(To::kServer, 0);
  at_provider.open();
  std::int64_t claims = 0;
  while (attempt.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    // An attempt claims at most five times, and the first claim was before the cut.
    if (claims == 4) break;
    ASSERT_TRUE(gate.is_reached_by(++claims));
    proxy.cut_now();
  }
  EXPECT_EQ(describe(answer_of(attempt)), "database_unavailable");
  ASSERT_TRUE(becomes_free(key_));
  ASSERT_EQ(database_.of_key(key_, "attempts"), "1");

  gate.open();

  EXPECT_TRUE(eventually([&] { return database_.of_key(key_, "attempts") != "1" && is_free(key_); }));
}

// The reason does not matter. Here the key's ride is gone.
TEST_F(LeaseRelease, AKeyThatCannotGoOnIsHeldByNobody) {
  EngineRig rig(database_);
  rig.gateway().plan(Behaviour::kIsAway);
  ASSERT_EQ(describe(rig.run(engine_ride(key_))), "foreign_unavailable");
  database_.execute("DELETE FROM rides");

  EXPECT_EQ(describe(rig.run(engine_ride(key_))), "internal");
  EXPECT_TRUE(is_free(key_));

  ScriptedGateway gateway;
  CompleterRig completer(database_, gateway);
  let_pass(database_, key_, "2 hours");
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_TRUE(is_free(key_));
}

TEST_F(LeaseRelease, IsTriedAgainWhenItIsRefused) {
  EngineRig rig(database_);
  create_refusal(database_);
  refuse_updates_when(database_, "OLD.lease IS NOT NULL AND NEW.lease IS NULL");
  rig.gateway().plan(Behaviour::kThrows);
  EXPECT_EQ(describe(rig.run(engine_ride(key_))), "internal");
  EXPECT_FALSE(is_free(key_));
  // Not only the first try is refused.
  EXPECT_TRUE(eventually([&] { return database_.number("SELECT last_value FROM refusals") >= 2; }));

  database_.execute("DROP TRIGGER refusal ON idempotency_keys");

  EXPECT_TRUE(becomes_free(key_));
}

TEST_F(LeaseRelease, IsDoneInTheEndIfItCouldNotBeBefore) {
  EngineRig rig(database_);
  create_refusal(database_);
  refuse_updates_when(
      database_,
      "OLD.lease IS NOT NULL AND NEW.lease IS NULL AND NEW.last_error NOT LIKE 'released by a process%'");
  rig.gateway().plan(Behaviour::kThrows);
  EXPECT_EQ(describe(rig.run(engine_ride(key_))), "internal");
  EXPECT_FALSE(is_free(key_));

  EXPECT_EQ(process::block_on(rig.lane(1).executor(), rig.engine().release_leases(rig.lane(1))), 1U);

  EXPECT_TRUE(is_free(key_));
}

TEST_F(LeaseRelease, FollowsWhereAKeyOfNoKnownEndpointCannotBeParked) {
  const std::string key = abandon(database_, {.path = "/nowhere"});
  create_refusal(database_);
  refuse_updates_when(database_, "NEW.parked_at IS NOT NULL");
  ScriptedGateway gateway;
  CompleterRig completer(database_, gateway);
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_TRUE(is_free(key));
}

}  // namespace
}  // namespace rocket::spec
