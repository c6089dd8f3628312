#pragma once

#include <map>
#include <set>
#include <string>

#include "spec/support/test_database.h"

// Jobs that are staged for an enqueuer, and the ids by which a spec knows them again.
namespace rocket::spec {

// Stages $1 jobs.
inline constexpr const char* kStage =
    "INSERT INTO staged_jobs (job_name, job_args) SELECT 'send_ride_receipt', jsonb_build_object('n', i) "
    "FROM generate_series(1, $1::int) i";

inline void stage(TestDatabase& database, int count) { database.execute(kStage, {std::to_string(count)}); }

inline std::set<std::string> staged_ids(TestDatabase& database) {
  std::set<std::string> ids;
  for (const auto& row : database.rows("SELECT job_id FROM staged_jobs")) ids.insert(*row[0]);
  return ids;
}

inline std::set<std::string> ids_of(const std::map<std::string, int>& times) {
  std::set<std::string> ids;
  for (const auto& [id, count] : times) ids.insert(id);
  return ids;
}

}  // namespace rocket::spec
