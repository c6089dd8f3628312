#include "spec/fault/effects.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>

namespace rocket::spec {

void expect_one_effect_per_key(SqlSession& session, const ChargesByRide& charges, std::int64_t keys,
                               Receipts receipts) {
  EXPECT_EQ(session.number("SELECT count(*) FROM idempotency_keys"), keys);
  EXPECT_EQ(session.number("SELECT count(*) FROM idempotency_keys WHERE finished_at IS NULL"), 0);
  EXPECT_EQ(session.number("SELECT count(*) FROM idempotency_keys WHERE response_code = 201"), keys);
  EXPECT_EQ(session.number("SELECT count(*) FROM idempotency_keys WHERE lease IS NOT NULL"), 0);
  EXPECT_EQ(session.number("SELECT count(*) FROM rides"), keys);
  EXPECT_EQ(session.number("SELECT count(*) FROM rides JOIN idempotency_keys k ON k.id = idempotency_key_id "
                           "WHERE k.response_body::json->'ride'->>'stripe_charge_id' = stripe_charge_id"),
            keys);
  EXPECT_EQ(session.number("SELECT count(*) FROM audit_records"), keys);
  const std::int64_t staged = receipts == Receipts::kStaged ? keys : 0;
  EXPECT_EQ(session.number("SELECT count(*) FROM staged_jobs"), staged);
  EXPECT_EQ(session.number("SELECT count(DISTINCT job_args->>'ride_id') FROM staged_jobs"), staged);

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

void expect_receipts_delivered(const ChildProcess& enqueuer, std::int64_t count) {
  enqueuer.kill(SIGTERM);
  ASSERT_TRUE(enqueuer.wait_for_exit().has_value()) << enqueuer.output();
  std::map<std::string, std::set<std::string>> ids_by_args;
  std::istringstream lines(enqueuer.output());
  for (std::string line; std::getline(lines, line);) {
    const auto id = line.find("job_id=");
    const auto args = line.find("job_args=");
    if (id != std::string::npos && args != std::string::npos) {
      ids_by_args[line.substr(args)].insert(line.substr(id, 43));
    }
  }
  EXPECT_EQ(ids_by_args.size(), static_cast<std::size_t>(count));
  for (const auto& [args, ids] : ids_by_args) EXPECT_EQ(ids.size(), 1U) << args;
}

}  // namespace rocket::spec
