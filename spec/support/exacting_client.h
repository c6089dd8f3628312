#pragma once

#include <chrono>
#include <string>

#include "spec/support/api_process.h"

namespace rocket::spec {

// A client that asks one thing after another on one connection, and looks closely at each answer, which must
// be its own and right. Each function returns how many answers it got. Not thread safe.
class ExactingClient {
 public:
  explicit ExactingClient(const ApiProcess& api) : connection_(api.connect()) {}

  // A ride, then the same questions about it that a client would ask who doubts.
  int ride();
  // A ride whose card is declined, and the same request again.
  int declined_ride();
  // What changes nothing.
  int look_around();

  // The longest that it had to wait for an answer.
  std::chrono::milliseconds longest_wait() const { return longest_wait_; }

 private:
  ClientResponse exchange(const ClientRequest& request, int status);

  HttpConnection connection_;
  std::chrono::milliseconds longest_wait_{0};
};

}  // namespace rocket::spec
