#pragma once

#include <mutex>
#include <vector>

#include "pg/connection_string.h"

namespace rocket::pg {

// In which order new connections try the servers of a connection string, and the addresses of one server:
// what failed last comes last, and behind it what took all its time to fail. A server may accept connections
// and yet never commit, such as a primary that lost its standby; where it stands first in the string, every
// new connection would begin there again. Thread safe.
class HostOrder {
 public:
  enum class Failure { kAtOnce, kTimeOut };

  // A server has failed when one of its addresses has.
  void sort(std::vector<Keywords>& servers) const;
  // The server could not be reached, takes no writes, or left a transaction without an end.
  void add_failure(const Keywords& server, Failure failure);

 private:
  struct Failed {
    Keywords server;
    Failure failure;
  };

  mutable std::mutex mutex_;
  // The latest failure of each, oldest first.
  std::vector<Failed> failed_;
};

}  // namespace rocket::pg
