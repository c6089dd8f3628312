#pragma once

#include <cstdint>

#include "spec/support/child_process.h"
#include "spec/support/payment_provider.h"
#include "spec/support/sql_session.h"

namespace rocket::spec {

// Where receipts are: still staged, or in the queue.
enum class Receipts { kStaged, kDelivered };

// The first promise, checked from outside after everything has come to rest: each of so many keys, all of
// them rides, has finished with 201, and has one ride, one charge at the provider and one receipt; and there
// is nothing else.
void expect_one_effect_per_key(SqlSession& session, const ChargesByRide& charges, std::int64_t keys,
                               Receipts receipts = Receipts::kStaged);

// By the account of a Ledger or a PaymentProvider.
template <typename Provider>
void expect_one_effect_per_key(SqlSession& session, const Provider& provider, std::int64_t keys,
                               Receipts receipts = Receipts::kStaged) {
  expect_one_effect_per_key(session, provider.charges(), keys, receipts);
}

// So many receipts have arrived in the log of this enqueuer, each of them, however often, with one id. Ends
// it, because all that it wrote has been read only then.
void expect_receipts_delivered(const ChildProcess& enqueuer, std::int64_t count);

}  // namespace rocket::spec
