#include "spec/support/exacting_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "rocket/base/ids.h"
#include "spec/support/requests.h"

namespace rocket::spec {

int ExactingClient::ride() {
  const OwnCoordinates own = own_coordinates();
  const std::string key = new_key();
  const auto body_of = [](const ClientResponse& answer, const char* name) {
    return nlohmann::json::parse(answer.body).at(name);
  };
  const auto created = body_of(exchange(ride_request(key, kUser, own.form), 201), "ride");
  EXPECT_DOUBLE_EQ(created.at("origin_lat").get<double>(), own.lat);
  EXPECT_DOUBLE_EQ(created.at("origin_lon").get<double>(), own.lon);
  const auto progress = body_of(exchange(get_request("/idempotency-keys/" + key), 200), "idempotency_key");
  EXPECT_EQ(progress.at("key"), key);
  EXPECT_EQ(progress.at("response").at("body").at("ride"), created);
  const auto again = body_of(exchange(get_request("/rides/" + created.at("id").dump()), 200), "ride");
  for (const auto& [name, value] : created.items()) EXPECT_EQ(again.at(name), value) << name;
  exchange(get_request("/idempotency-keys/" + new_key()), 404);
  return 4;
}

int ExactingClient::declined_ride() {
  const ClientRequest request = ride_request(new_key(), kDeclinedUser, own_coordinates().form);
  const ClientResponse first = exchange(request, 402);
  EXPECT_EQ(first.code(), "card_declined");
  EXPECT_EQ(first.count("idempotent-replayed"), 0U);
  const ClientResponse second = exchange(request, 402);
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(second.header("idempotent-replayed"), "true");
  return 2;
}

int ExactingClient::look_around() {
  EXPECT_EQ(nlohmann::json::parse(exchange(get_request("/account"), 200).body).at("currency"), "usd");
  EXPECT_NE(exchange(get_request("/"), 200).body.find("</html>"), std::string::npos);
  exchange(get_request("/healthz"), 200);
  exchange(get_request("/nothing"), 404);
  return 4;
}

ClientResponse ExactingClient::exchange(const ClientRequest& request, int status) {
  using Clock = std::chrono::steady_clock;
  const std::string id = random_uuid();
  const auto begin = Clock::now();
  ClientResponse answer = connection_.exchange(request.with("X-Request-Id", id));
  longest_wait_ =
      std::max(longest_wait_, std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin));
  EXPECT_EQ(answer.header("x-request-id"), id) << "somebody else's answer: " << answer.body;
  EXPECT_EQ(answer.status, status) << answer.body;
  return answer;
}

}  // namespace rocket::spec
