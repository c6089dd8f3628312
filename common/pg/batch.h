#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pg/query.h"
#include "pg/result.h"

namespace rocket::pg {

// What must be committed together or not at all.
struct Unit {
  // Names the rows that the unit locks; empty if it locks none. Two units with one lock key are never in one
  // batch. Batches lock in the order of these keys, so two batches, of one process or of several, cannot
  // deadlock.
  std::string lock_key;
  std::vector<Query> queries;
  // Never shares a transaction, because it locks rows that the order of lock keys says nothing about.
  bool exclusive = false;
  // Whom it is done for: callers with many units do not hold up the others, see WorkQueue. Empty: nobody in
  // particular.
  std::string caller{};
  // To be refused by the server is an answer too, which is not logged. For exclusive units.
  bool is_probe = false;
};

// Whether both may be in one batch: they have the same statements, one after another, and neither is
// exclusive.
bool may_share(const Unit& one, const Unit& other);

// Units that share a transaction. A set statement runs once for all of them, any other once for each.
class Batch {
 public:
  // The units may share, no two of them have the same lock key, and they outlive the batch; at least one.
  explicit Batch(std::vector<const Unit*> units);
  ~Batch() = default;
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // What to run, in this order.
  const std::vector<const Query*>& queries() const { return queries_; }
  // The results of these queries, handed out: for each unit, one for each of its own queries.
  std::vector<std::vector<Result>> share_out(const std::vector<Result>& results) const;

 private:
  std::size_t steps() const { return units_.front()->queries.size(); }
  bool is_set(std::size_t step) const { return units_.front()->queries[step].statement->takes_set; }

  std::vector<const Unit*> units_;
  std::vector<Query> sets_;
  std::vector<const Query*> queries_;
};

}  // namespace rocket::pg
