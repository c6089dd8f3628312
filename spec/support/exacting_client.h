#pragma once

#include <chrono>
#include <string>

#include "spec/support/api_process.h"

namespace rocket::spec {

// A client that sends one request after another on one connection, and checks that each answer is correct and
// belongs to its own request. Each function returns the number of answers it got. Not thread safe.
class ExactingClient {
 public:
  explicit ExactingClient(const ApiProcess& api) : connection_(api.connect()) {}

  // Books a ride, then sends the requests with which an unsure client would check it.
  int ride();
  // Requests a ride whose card is declined, then sends the same request again.
  int declined_ride();
  // Sends requests that change nothing.
  int look_around();

  // The longest wait for an answer so far.
  std::chrono::milliseconds longest_wait() const { return longest_wait_; }

 private:
  ClientResponse exchange(const ClientRequest& request, int status);

  HttpConnection connection_;
  std::chrono::milliseconds longest_wait_{0};
};

}  // namespace rocket::spec
