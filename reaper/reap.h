#pragma once

#include <chrono>
#include <cstdint>

#include "rocket/pg/query.h"

namespace rocket::reaper {

// Deletes at most `batch` keys that finished more than `retention` ago, oldest first. Affects one row per
// deleted key. Unfinished and parked keys are never touched. Several reapers may do this at once.
pg::Query reap(std::chrono::seconds retention, std::int64_t batch);

// Deletes the oldest rides that are older than `retention`, with their refunds, at most `batch`. Rides with
// an unfinished request or refund stay.
pg::Query remove_rides(std::chrono::seconds retention, std::int64_t batch);

// Deletes the oldest audit records that are older than `retention`, at most `batch`. Its result has one row
// with the number of deleted records, `removed`. The database itself keeps records for 30 days at least.
pg::Query remove_audit_records(std::chrono::seconds retention, std::int64_t batch);

}  // namespace rocket::reaper
