#pragma once

#include <chrono>
#include <string>

namespace rocket::jobs {

// What is to be said about every broker beside its address.
struct BrokerOptions {
  // The queue's name there.
  std::string queue = "default";
  // Certificate authorities to trust; empty for the system's.
  std::string ca_file;
  // To connect and log in.
  std::chrono::milliseconds connect_timeout{1500};
  // To take a batch.
  std::chrono::milliseconds timeout{3000};
};

}  // namespace rocket::jobs
