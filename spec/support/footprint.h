#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "spec/support/test_database.h"

namespace rocket::spec {

// What a running process holds of the machine, by the kernel's account.
// Resident memory in KiB; 0 when there is no such process.
long memory_of(pid_t pid);
// The most resident memory that it has ever had, in KiB.
long peak_memory_of(pid_t pid);
// What it has used of the processors.
std::chrono::milliseconds processor_time_of(pid_t pid);
// Open files and sockets.
std::size_t descriptors_of(pid_t pid);

// True when so many lanes of the processes at this database are connected, and what each has opened for that
// stays. Until then a process still grows.
bool are_lanes_connected(TestDatabase& database, std::int64_t lanes);

}  // namespace rocket::spec
