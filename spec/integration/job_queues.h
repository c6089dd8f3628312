#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "rocket/base/ids.h"
#include "rocket/jobs/job_queue.h"

// What the specs of every job queue need: jobs, their ids, and how a push fails.
namespace rocket::spec {

// Stages $1 receipts, the first for ride 1.
inline constexpr const char* kStageReceipts =
    "INSERT INTO staged_jobs (job_name, job_args, created_at) "
    "SELECT 'send_ride_receipt', jsonb_build_object('ride_id', i), '2026-01-02 03:04:05.678901+00' "
    "FROM generate_series(1, $1::int) i";

inline std::vector<jobs::Job> receipts(int count) {
  std::vector<jobs::Job> receipts;
  for (int i = 0; i < count; ++i) {
    receipts.push_back({random_uuid(), "send_ride_receipt", R"({"ride_id": )" + std::to_string(i) + "}", {}});
  }
  return receipts;
}

inline std::vector<std::string> ids_of(const std::vector<jobs::Job>& jobs) {
  std::vector<std::string> ids;
  for (const jobs::Job& job : jobs) ids.push_back(job.id);
  return ids;
}

// The error message of a push, which must fail.
inline std::string failure_of(jobs::JobQueue& queue, const std::vector<jobs::Job>& jobs = receipts(1)) {
  try {
    queue.push(jobs);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "it did not fail";
}

}  // namespace rocket::spec
