#include "rocket/jobs/drain.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace rocket::jobs {
namespace {

// Deletes the jobs that it returns. The commit, which makes this final, comes after the queue has the jobs.
// MATERIALIZED, because the planner may run a plain subquery twice and exceed the LIMIT.
constexpr pg::Statement kTakeJobs{"take_jobs", R"sql(
WITH batch AS MATERIALIZED (
  SELECT id FROM staged_jobs ORDER BY id LIMIT $1::bigint FOR UPDATE SKIP LOCKED
), taken AS (
  DELETE FROM staged_jobs USING batch WHERE staged_jobs.id = batch.id
  RETURNING staged_jobs.id, job_id, job_name, job_args, traceparent, created_at
)
SELECT job_id, job_name, job_args, traceparent, (extract(epoch FROM created_at) * 1000000)::bigint AS created_us
  FROM taken ORDER BY id
)sql"};

std::vector<Job> read_jobs(const pg::Result& result) {
  std::vector<Job> jobs;
  jobs.reserve(static_cast<std::size_t>(result.rows()));
  for (int row = 0; row < result.rows(); ++row) {
    jobs.push_back({std::string(result.text(row, "job_id")), std::string(result.text(row, "job_name")),
                    std::string(result.text(row, "job_args")),
                    std::chrono::sys_time<std::chrono::microseconds>(
                        std::chrono::microseconds(result.integer(row, "created_us"))),
                    std::string(result.text(row, "traceparent"))});
  }
  return jobs;
}

}  // namespace

Drain::Drain(pg::ConnectionOptions connection, JobQueue& queue, std::int64_t batch)
    : session_(std::move(connection)), queue_(queue), batch_(batch) {}

asio::awaitable<std::int64_t> Drain::run_once() {
  std::vector<pg::Query> queries;
  queries.emplace_back(kTakeJobs, pg::Params{std::to_string(batch_)});
  pg::Connection::BeforeCommit push = [this](const std::vector<pg::Result>& results) {
    const std::vector<Job> jobs = read_jobs(results.front());
    if (jobs.empty()) {
      queue_.keep_alive();
    } else {
      queue_.push(jobs);
    }
  };
  const std::vector<pg::Result> results = co_await session_.transact(std::move(queries), std::move(push));
  co_return results.front().rows();
}

std::vector<pg::Statement> Drain::statements() { return {kTakeJobs}; }

}  // namespace rocket::jobs
