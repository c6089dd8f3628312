#include "rocket/jobs/sidekiq_format.h"

#include <nlohmann/json.hpp>

namespace rocket::jobs {
namespace {

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

// Seconds since 1970, with microseconds.
std::string seconds_of(std::chrono::system_clock::time_point time) {
  using std::chrono::floor;
  const auto seconds = floor<std::chrono::seconds>(time);
  const std::string fraction = std::to_string(floor<std::chrono::microseconds>(time - seconds).count());
  return std::to_string(seconds.time_since_epoch().count()) + '.' + std::string(6 - fraction.size(), '0') +
         fraction;
}

}  // namespace

std::string worker_class_of(std::string_view job_name) {
  std::string name;
  bool begins_word = true;
  for (const char c : job_name) {
    if (c == '_') {
      begins_word = true;
      continue;
    }
    const bool small = c >= 'a' && c <= 'z';
    name += begins_word && small ? static_cast<char>(c - 'a' + 'A') : c;
    begins_word = false;
  }
  return name;
}

std::string sidekiq_payload(const Job& job, const std::string& queue,
                            std::chrono::system_clock::time_point now) {
  // The arguments are JSON already.
  return R"({"class":)" + quoted(worker_class_of(job.name)) + R"(,"args":[)" + job.args +
         R"(],"retry":true,"queue":)" + quoted(queue) + R"(,"jid":)" + quoted(job.id) + R"(,"created_at":)" +
         seconds_of(job.created_at) + R"(,"enqueued_at":)" + seconds_of(now) +
         (job.traceparent.empty() ? "" : R"(,"traceparent":)" + quoted(job.traceparent)) + "}";
}

}  // namespace rocket::jobs
