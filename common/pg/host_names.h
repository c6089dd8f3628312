#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace rocket::pg {

// Looks up the addresses of hosts. The look-up of the system has no time limit, so each one has a thread of
// its own, which is left behind if it is late. At most one look-up per name is under way. Thread safe.
class HostNames {
 public:
  // Returns the addresses as numbers, in the order in which to try them; at least one. Throws Unavailable if
  // there is none by the deadline, and never waits longer.
  asio::awaitable<std::vector<std::string>> addresses_of(std::string host,
                                                         std::chrono::steady_clock::time_point deadline);

 private:
  class LookUp;
  std::shared_ptr<LookUp> under_way(const std::string& host);

  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<LookUp>> look_ups_;
};

}  // namespace rocket::pg
