#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "jobs/job_queue.h"

// The format in which Sidekiq's workers, since version 5, take jobs from Redis: a list "queue:NAME" of JSON
// objects, and a set "queues" of the names. https://github.com/sidekiq/sidekiq/wiki/Job-Format
namespace rocket::jobs {

// send_ride_receipt -> SendRideReceipt: underscores part words, each word begins with a capital. All else
// stays as it is.
std::string worker_class_of(std::string_view job_name);

// Its jid is the job's id, its one argument the job's arguments as a hash.
std::string sidekiq_payload(const Job& job, const std::string& queue,
                            std::chrono::system_clock::time_point now);

}  // namespace rocket::jobs
