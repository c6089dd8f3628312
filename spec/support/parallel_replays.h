#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "spec/support/api_process.h"

namespace rocket::spec {

// Clients, each on a connection of its own, that send the same request at once. Not thread safe.
class ParallelReplays {
 public:
  ParallelReplays(const ApiProcess& api, std::size_t clients);

  // The request has been answered like that before: each must get this status and these bytes, marked as
  // replayed. Returns how many answers came.
  int expect(const ClientRequest& request, int status, const std::string& body);

 private:
  std::vector<HttpConnection> connections_;
};

}  // namespace rocket::spec
