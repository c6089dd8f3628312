#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <string>

#include "rocket/base/ids.h"
#include "rocket/process/block_on.h"
#include "spec/support/engine_rig.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// The engine with a scripted provider, and keys that an earlier attempt left at a recovery point.
class EngineSpec : public testing::Test {
 protected:
  using Behaviour = ScriptedGateway::Behaviour;

  std::string run(const std::string& key, std::size_t lane = 0) {
    return describe(rig_.run(engine_ride(key), lane));
  }

  // An unfinished key at `started`, as left by a process that died before its first phase.
  void insert_started_key() {
    database_.execute(
        "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
        "request_params)"
        " SELECT gen_random_uuid(), id, $1, 'POST', '/rides', $2::jsonb FROM users WHERE email = $3",
        {key_, engine_ride(key_).params, kUser});
  }
  // The same key one phase later: a ride exists, but the provider was away.
  void stop_at_ride_created() {
    rig_.gateway().plan(Behaviour::kIsAway);
    ASSERT_EQ(run(key_), "foreign_unavailable");
    ASSERT_EQ(point(), "ride_created");
  }
  // The same key another phase later: the charge is recorded.
  void stop_at_charge_created() {
    rig_.gateway().plan(Behaviour::kLosesAnswer);
    ASSERT_EQ(run(key_), "foreign_unavailable");
    ASSERT_EQ(rig_.gateway().charges().size(), 1U);
    database_.execute("UPDATE rides SET stripe_charge_id = $1", {rig_.gateway().charges().begin()->second});
    database_.execute("UPDATE idempotency_keys SET recovery_point = 'charge_created'");
  }
  std::string point() { return database_.of_key(key_, "recovery_point"); }

  void expect_released() {
    EXPECT_EQ(database_.of_key(key_, "lease"), "NULL");
    EXPECT_EQ(database_.of_key(key_, "locked_at"), "NULL");
    EXPECT_EQ(database_.of_key(key_, "response_code"), "NULL");
    EXPECT_EQ(database_.of_key(key_, "finished_at"), "NULL");
  }
  void expect_one_of_everything() {
    EXPECT_EQ(database_.count("idempotency_keys", "recovery_point = 'finished'"), 1);
    EXPECT_EQ(database_.count("rides"), 1);
    EXPECT_EQ(database_.count("staged_jobs"), 1);
    EXPECT_EQ(database_.count("audit_records"), 1);
    ASSERT_EQ(rig_.gateway().charges().size(), 1U);
    EXPECT_EQ(database_.value("SELECT stripe_charge_id FROM rides"),
              rig_.gateway().charges().begin()->second);
  }
  // Does what a completer does: takes the lease, and resumes.
  idempotency::Outcome resume() {
    const std::string token = random_uuid();
    database_.execute("UPDATE idempotency_keys SET lease = $1::uuid, locked_at = now()", {token});
    idempotency::Lease lease{kUser, key_, database_.of_key(key_, "id"), token};
    return process::block_on(rig_.lane().executor(),
                             rig_.engine().resume(rig_.lane(), rig_.flow("/rides"), lease, point()));
  }

  TestDatabase database_;
  EngineRig rig_{database_};
  const std::string key_ = new_key();
};

}  // namespace rocket::spec
