#pragma once

#include <mutex>
#include <vector>

#include "rocket/pg/connection_string.h"

namespace rocket::pg {

// The order in which new connections try the servers of a connection string, and the addresses of one server.
// Those without a failure come first, then those that failed at once, then those that failed by a time-out;
// in each group the latest failure comes last. A server may accept connections and yet never commit, such as
// a primary that lost its standby. If such a server is the first in the string, every new connection would
// begin there again without this order. Thread safe.
class HostOrder {
 public:
  enum class Failure { kAtOnce, kTimeOut };

  // A server counts as failed when one of its addresses has failed.
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
