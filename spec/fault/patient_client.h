#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "spec/support/http_client.h"

namespace rocket::spec {

// A client that follows the API's contract. It keeps one connection open, and repeats a request with the same
// key until it has a definite answer, whatever happens to connections, servers and databases. Expects that
// every 503 asks for a retry. Not thread safe.
class PatientClient {
 public:
  // Tries the ports in turn.
  explicit PatientClient(std::vector<std::uint16_t> ports) : ports_(std::move(ports)) {}

  // From now on, runs `told` after each attempt that got no definite answer.
  void on_refusal(std::function<void()> told) { on_refusal_ = std::move(told); }

  struct Outcome {
    // The definite answer; status 0 when the limit came first.
    ClientResponse answer;
    int attempts = 0;
    // Statuses on the way; 0 for a broken connection.
    std::vector<int> refusals;
    std::chrono::milliseconds duration{0};
    std::chrono::milliseconds slowest_attempt{0};
  };
  // Repeats after 409 request_in_progress, 500 and 503, and when there is no answer at all.
  Outcome insist(const ClientRequest& request, std::chrono::milliseconds limit = std::chrono::seconds(60));

 private:
  // Returns nullopt if the connection broke or could not be opened.
  std::optional<ClientResponse> attempt(const ClientRequest& request);

  std::function<void()> on_refusal_ = [] {};
  std::vector<std::uint16_t> ports_;
  std::size_t next_ = 0;
  std::optional<HttpConnection> connection_;
};

}  // namespace rocket::spec
