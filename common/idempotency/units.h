#pragma once

#include <string_view>
#include <vector>

#include "rocket/idempotency/flow.h"
#include "rocket/idempotency/keys.h"
#include "rocket/pg/batch.h"
#include "rocket/pg/query.h"

// The queries of an attempt as units, which are committed together or not at all.
namespace rocket::idempotency {

// Whoever sends a key, it is in line only once: one owner may have several credentials.
pg::Unit unit_of(const Lease& lease, std::vector<pg::Query> queries);
pg::Unit unit_of(const Lease& lease, pg::Query query);

// A request that locks rows of more than one key has a transaction of its own, and all others wait for it. So
// each owner has only one such request in line at a time.
pg::Unit unit_of(const Flow& flow, const Lease& lease, std::vector<pg::Query> queries);

// A retry writes the history of its key in the transaction that changes the key. The transaction begins at
// `recovery_point`. Returns the queries as they are if the attempt is the first one.
std::vector<pg::Query> with_history(const Lease& lease, const Worker& worker, std::string_view recovery_point,
                                    bool finishes, std::vector<pg::Query> queries);

}  // namespace rocket::idempotency
