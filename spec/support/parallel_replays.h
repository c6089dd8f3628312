#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "spec/support/api_process.h"

namespace rocket::spec {

// Several clients that send the same request at the same time, each on its own connection. Not thread safe.
class ParallelReplays {
 public:
  ParallelReplays(const ApiProcess& api, std::size_t clients);

  // Expects that each client gets the stored answer: this status and body, marked as replayed. Returns the
  // number of answers.
  int expect(const ClientRequest& request, int status, const std::string& body);

 private:
  std::vector<HttpConnection> connections_;
};

}  // namespace rocket::spec
