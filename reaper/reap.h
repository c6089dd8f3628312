#pragma once

#include <chrono>
#include <cstdint>

#include "rocket/pg/query.h"

namespace rocket::reaper {

// Deletes at most `batch` keys that finished more than `retention` ago, oldest first. Affects one row per
// deleted key. Unfinished and parked keys are never touched. Several reapers may do this at once.
pg::Query reap(std::chrono::seconds retention, std::int64_t batch);

}  // namespace rocket::reaper
