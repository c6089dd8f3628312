#pragma once

#include <sys/types.h>

#include <cstddef>

namespace rocket::spec {

// What a running process holds of the machine, by the kernel's account.
// Resident memory in KiB; 0 when there is no such process.
long memory_of(pid_t pid);
// Open files and sockets.
std::size_t descriptors_of(pid_t pid);

}  // namespace rocket::spec
