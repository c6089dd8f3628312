#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "spec/support/test_database.h"

namespace rocket::spec {

// The resources that a running process uses, as the kernel reports them. Resident memory in KiB; 0 when there
// is no such process.
long memory_of(pid_t pid);
// The most resident memory that it has ever had, in KiB.
long peak_memory_of(pid_t pid);
// The processor time that the process has used.
std::chrono::milliseconds processor_time_of(pid_t pid);
// The number of open files and sockets.
std::size_t descriptors_of(pid_t pid);

// Waits until this many lanes are connected to this database. Returns false if they are not connected in
// time. Before that, the memory and the descriptors of a process still grow.
bool are_lanes_connected(TestDatabase& database, std::int64_t lanes);

}  // namespace rocket::spec
