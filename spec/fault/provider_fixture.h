#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "spec/fault/effects.h"
#include "spec/support/api_process.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// A payment provider that can be told to fail, and a database for the programs that call it.
class Provider : public testing::Test {
 protected:
  Environment environment(const Environment& more = {}) const {
    Environment all = provider_.environment();
    all.insert({{"STRIPE_TIMEOUT_MS", "300"}, {"STRIPE_TOTAL_TIMEOUT_MS", "1500"}});
    for (const auto& [name, value] : more) all[name] = value;
    return all;
  }
  void expect_one_effect(std::int64_t rides = 1) {
    SqlSession session = database_.open_session();
    expect_one_effect_per_key(session, provider_, rides);
  }
  // The answer of GET /readyz, which is 200 even without the provider.
  static nlohmann::json readiness(const ApiProcess& api) {
    const ClientResponse ready = api.send(get_request("/readyz"));
    EXPECT_EQ(ready.status, 200) << "deposits need no provider";
    return nlohmann::json::parse(ready.body);
  }
  // Makes all keys so old that the completer takes the unfinished ones.
  void make_abandoned() {
    database_.execute(
        "UPDATE idempotency_keys SET created_at = now() - interval '1 hour', last_run_at = now() - interval "
        "'1 hour'");
  }
  int calls() const { return provider_.ledger()["calls"].get<int>(); }
  // Makes a charge whose answer never comes.
  void lose_the_answer(const ApiProcess& api) {
    provider_.fail("kind=silence&charged=true");
    provider_.fail("kind=silence&times=9");
    EXPECT_EQ(api.send(ride_request(key_)).status, 503);
    provider_.heal();
    EXPECT_EQ(provider_.charges().size(), 1U);
  }

  TestDatabase database_;
  PaymentProvider provider_;
  const std::string key_ = new_key();
};

}  // namespace rocket::spec
