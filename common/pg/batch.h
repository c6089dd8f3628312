#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pg/query.h"
#include "pg/result.h"

namespace rocket::pg {

// What must be committed together or not at all.
struct Unit {
  // Units that lock the same rows carry the same text; one that locks none carries none. A batch locks in the
  // order of these texts, so two batches, of one process or of several, cannot wait for each other in a
  // circle.
  std::string order;
  std::vector<Query> queries;
  // Never shares a transaction: for units that may have to wait for rows of another order.
  bool alone = false;
};

// Whether both may be in one batch: they have the same statements, one after another, and neither insists on
// being alone.
bool may_share(const Unit& one, const Unit& other);

// Units that share a transaction. A set statement runs once for all of them, any other once for each.
class Batch {
 public:
  // The units may share, no two of them have the same order, and they outlive the batch; at least one.
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
