#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

#include "rocket/base/ids.h"
#include "spec/support/child_process.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// Workers that reach their database through a proxy, which kills or stalls them at a certain message.
class WorkerRig : public testing::TestWithParam<CuttingProxy::To> {
 protected:
  static Environment environment(const std::string& database_url) {
    return {{"DATABASE_URL", database_url}, {"ENQUEUER_IDLE_MS", "20"}, {"REAPER_IDLE_MS", "20"}};
  }
  Environment environment() const { return environment(proxy_.url()); }

  // Stages this many jobs and returns their ids.
  std::set<std::string> stage(int jobs) {
    std::set<std::string> ids;
    for (const auto& row : database_.rows("INSERT INTO staged_jobs (job_name, job_args) "
                                          "SELECT 'send_ride_receipt', '{}' FROM generate_series(1, $1::int) "
                                          "RETURNING job_id",
                                          {std::to_string(jobs)})) {
      ids.insert(*row[0]);
    }
    return ids;
  }

  // A new idempotency key.
  static std::string name(const std::string& kind) { return kind + '-' + random_uuid(); }
  void store_key(const std::string& key, const std::string& age, bool finished) {
    database_.execute(
        "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
        "request_params,"
        " created_at, last_run_at, recovery_point, response_code, response_body, finished_at) "
        "SELECT gen_random_uuid(), 1, $1, 'POST', '/rides', '{}', at, at, $3::text, "
        " CASE WHEN $3 = 'finished' THEN 201 END, CASE WHEN $3 = 'finished' THEN '{}' END, "
        " CASE WHEN $3 = 'finished' THEN at END FROM (SELECT now() - $2::interval AS at) made",
        {key, age, finished ? "finished" : "started"});
  }
  std::int64_t due_keys() {
    return database_.count("idempotency_keys",
                           "idempotency_key LIKE 'due-%' AND finished_at < now() - "
                           "interval '72 hours'");
  }

  TestDatabase database_;
  CuttingProxy proxy_{database_.url(), CuttingProxy::Counts::kSteps};
};

}  // namespace rocket::spec
