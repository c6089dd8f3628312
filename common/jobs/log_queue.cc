#include "jobs/log_queue.h"

namespace rocket::jobs {

void LogQueue::push(std::span<const Job> jobs) {
  for (const Job& job : jobs) {
    log_.info("job", {{"job_id", job.id}, {"job_name", job.name}, {"job_args", job.args}});
  }
}

}  // namespace rocket::jobs
