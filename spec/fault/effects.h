#pragma once

#include <cstdint>

#include "spec/support/child_process.h"
#include "spec/support/payment_provider.h"
#include "spec/support/sql_session.h"

namespace rocket::spec {

// Where the receipts are: still staged, or already in the queue.
enum class Receipts { kStaged, kDelivered };

// Checks the first promise from outside, once nothing runs any more. There are this many keys, all of them of
// rides. Each has finished with 201, and has one ride, one charge at the provider and one receipt. There is
// nothing else.
void expect_one_effect_per_key(SqlSession& session, const ChargesByRide& charges, std::int64_t keys,
                               Receipts receipts = Receipts::kStaged);

// Takes the charges from a Ledger or a PaymentProvider.
template <typename Provider>
void expect_one_effect_per_key(SqlSession& session, const Provider& provider, std::int64_t keys,
                               Receipts receipts = Receipts::kStaged) {
  expect_one_effect_per_key(session, provider.charges(), keys, receipts);
}

// Expects this many receipts in the log of this enqueuer. A receipt may appear several times, but always with
// the same id. Ends the enqueuer, because only then has all its output been read.
void expect_receipts_delivered(const ChildProcess& enqueuer, std::int64_t count);

}  // namespace rocket::spec
