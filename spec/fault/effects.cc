#include "spec/fault/effects.h"

#include <gtest/gtest.h>

namespace rocket::spec {

void expect_one_effect_per_key(SqlSession& session, const ChargesByRide& charges, std::int64_t keys) {
  EXPECT_EQ(session.number("SELECT count(*) FROM idempotency_keys"), keys);
  EXPECT_EQ(session.number("SELECT count(*) FROM idempotency_keys WHERE finished_at IS NULL"), 0);
  EXPECT_EQ(session.number("SELECT count(*) FROM idempotency_keys WHERE response_code = 201"), keys);
  EXPECT_EQ(session.number("SELECT count(*) FROM idempotency_keys WHERE lease IS NOT NULL"), 0);
  EXPECT_EQ(session.number("SELECT count(*) FROM rides"), keys);
  EXPECT_EQ(session.number("SELECT count(*) FROM rides JOIN idempotency_keys k ON k.id = idempotency_key_id "
                           "WHERE k.response_body::json->'ride'->>'stripe_charge_id' = stripe_charge_id"),
            keys);
  EXPECT_EQ(session.number("SELECT count(*) FROM audit_records"), keys);
  EXPECT_EQ(session.number("SELECT count(*) FROM staged_jobs"), keys);
  EXPECT_EQ(session.number("SELECT count(DISTINCT job_args->>'ride_id') FROM staged_jobs"), keys);

  EXPECT_EQ(charges.size(), static_cast<std::size_t>(keys)) << "rides that were charged";
  for (const auto& row : session.rows("SELECT id, stripe_charge_id FROM rides")) {
    const auto found = charges.find(*row[0]);
    if (found == charges.end()) {
      ADD_FAILURE() << "ride " << *row[0] << " was never charged";
      continue;
    }
    EXPECT_EQ(found->second, std::set<std::string>{row[1].value_or("NULL")}) << "ride " << *row[0];
  }
}

}  // namespace rocket::spec
