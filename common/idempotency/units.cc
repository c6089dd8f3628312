#include "rocket/idempotency/units.h"

#include <utility>

#include "rocket/idempotency/history.h"

namespace rocket::idempotency {

pg::Unit unit_of(const Lease& lease, std::vector<pg::Query> queries) {
  pg::Unit unit;
  unit.lock_key = lease.key;
  unit.queries = std::move(queries);
  unit.caller = lease.caller;
  unit.ids = lease.ids;
  return unit;
}

pg::Unit unit_of(const Lease& lease, pg::Query query) {
  std::vector<pg::Query> queries;
  queries.push_back(std::move(query));
  return unit_of(lease, std::move(queries));
}

pg::Unit unit_of(const Flow& flow, const Lease& lease, std::vector<pg::Query> queries) {
  pg::Unit unit = unit_of(lease, std::move(queries));
  if (flow.locks_shared_rows()) unit.lock_key = lease.caller.empty() ? lease.owner : lease.caller;
  unit.exclusive = flow.locks_shared_rows();
  return unit;
}

std::vector<pg::Query> with_history(const Lease& lease, const Worker& worker, std::string_view recovery_point,
                                    bool finishes, std::vector<pg::Query> queries) {
  if (lease.is_retry) queries.insert(queries.begin(), tell_retry(lease, worker, recovery_point, finishes));
  return queries;
}

}  // namespace rocket::idempotency
