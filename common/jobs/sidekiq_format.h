#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "rocket/jobs/job_queue.h"

// The format in which Sidekiq's workers, since version 5, take jobs from Redis: a list "queue:NAME" of JSON
// objects, and a set "queues" of the names. https://github.com/sidekiq/sidekiq/wiki/Job-Format
namespace rocket::jobs {

// send_ride_receipt -> SendRideReceipt: underscores separate words, and each word begins with a capital. All
// other characters stay as they are.
std::string worker_class_of(std::string_view job_name);

// Returns the JSON object. Its jid is the job's id. Its one argument is the job's arguments as a hash.
std::string sidekiq_payload(const Job& job, const std::string& queue,
                            std::chrono::system_clock::time_point now);

}  // namespace rocket::jobs
