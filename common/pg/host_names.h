#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace rocket::pg {

// Looks up the addresses of hosts. The system does that for as long as it likes, so each look-up has a thread
// of its own, which is left behind where it is late. At most one per name is under way. Thread safe.
class HostNames {
 public:
  // The addresses as numbers, in the order in which they are to be tried; at least one. Throws Unavailable
  // when there is none by then, never later.
  asio::awaitable<std::vector<std::string>> addresses_of(std::string host,
                                                         std::chrono::steady_clock::time_point deadline);

 private:
  class LookUp;
  std::shared_ptr<LookUp> under_way(const std::string& host);

  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<LookUp>> look_ups_;
};

}  // namespace rocket::pg
