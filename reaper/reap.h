#pragma once

#include <chrono>
#include <cstdint>

#include "pg/query.h"

namespace rocket::reaper {

// Deletes at most `batch` keys that finished more than `retention` ago, oldest first; the statement's
// affected rows are its result. Unfinished and parked keys are never touched. Safe for several reapers at
// once.
pg::Query reap(std::chrono::seconds retention, std::int64_t batch);

}  // namespace rocket::reaper
