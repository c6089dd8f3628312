#include "spec/support/parallel_replays.h"

#include <gtest/gtest.h>

namespace rocket::spec {

ParallelReplays::ParallelReplays(const ApiProcess& api, std::size_t clients) {
  for (std::size_t i = 0; i < clients; ++i) connections_.push_back(api.connect());
}

int ParallelReplays::expect(const ClientRequest& request, int status, const std::string& body) {
  const std::string bytes = request.to_bytes();
  for (HttpConnection& each : connections_) each.send(bytes);
  for (HttpConnection& each : connections_) {
    const ClientResponse answer = each.receive();
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_EQ(answer.body, body);
    EXPECT_EQ(answer.header("idempotent-replayed"), "true");
  }
  return static_cast<int>(connections_.size());
}

}  // namespace rocket::spec
