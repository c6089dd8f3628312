#pragma once

#include <chrono>
#include <string>

namespace rocket::jobs {

// What every broker needs besides its address.
struct BrokerOptions {
  // The queue's name at the broker.
  std::string queue = "default";
  // Certificate authorities to trust; empty for the system's.
  std::string ca_file;
  // Longest time to connect and log in.
  std::chrono::milliseconds connect_timeout{1500};
  // Longest time for the broker to take a batch.
  std::chrono::milliseconds timeout{3000};
};

}  // namespace rocket::jobs
