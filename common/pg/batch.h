#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "rocket/base/request_ids.h"
#include "rocket/pg/query.h"
#include "rocket/pg/result.h"

namespace rocket::pg {

// Queries that must be committed together or not at all.
struct Unit {
  // Names the rows that the unit locks; empty if it locks none. Two units with one lock key are never in one
  // batch. Batches lock in the order of these keys, so two batches, of one process or of several, cannot
  // deadlock.
  std::string lock_key;
  std::vector<Query> queries;
  // True if the unit must never share a transaction, because it locks rows that the order of lock keys does
  // not cover.
  bool exclusive = false;
  // The caller that the unit is done for; empty for none. A caller with many units does not hold up the
  // others, see WorkQueue.
  std::string caller{};
  // The request that the unit is done for, if any. For the log.
  SharedRequestIds ids{};
  // For exclusive units. If the server refuses a statement of this unit, that is an answer too, so it is not
  // logged.
  bool is_probe = false;
};

// True if both may be in one batch: they have the same statements in the same order, and neither is
// exclusive.
bool may_share(const Unit& one, const Unit& other);

// Units that share a transaction. A set statement runs once for all of them, any other once for each.
class Batch {
 public:
  // `units` has at least one. All of them may share, no two have the same lock key, and all must outlive the
  // batch.
  explicit Batch(std::vector<const Unit*> units);
  ~Batch() = default;
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // The queries to run, in this order.
  const std::vector<const Query*>& queries() const { return queries_; }
  // Divides the results of these queries: each unit gets one result for each of its own queries.
  std::vector<std::vector<Result>> share_out(const std::vector<Result>& results) const;

 private:
  std::size_t steps() const { return units_.front()->queries.size(); }
  bool is_set(std::size_t step) const { return units_.front()->queries[step].statement->takes_set; }

  std::vector<const Unit*> units_;
  std::vector<Query> sets_;
  std::vector<const Query*> queries_;
};

}  // namespace rocket::pg
