#pragma once

#include <cstdint>

#include "spec/support/payment_provider.h"
#include "spec/support/sql_session.h"

namespace rocket::spec {

// The first promise, checked from outside after everything has come to rest: each of so many keys, all of
// them rides, has finished with 201, and has one ride, one charge at the provider and one staged receipt; and
// there is nothing else. Receipts must still be staged.
void expect_one_effect_per_key(SqlSession& session, const ChargesByRide& charges, std::int64_t keys);

// By the account of a Ledger or a PaymentProvider.
template <typename Provider>
void expect_one_effect_per_key(SqlSession& session, const Provider& provider, std::int64_t keys) {
  expect_one_effect_per_key(session, provider.charges(), keys);
}

}  // namespace rocket::spec
