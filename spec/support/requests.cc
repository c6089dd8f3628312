#include "spec/support/requests.h"

#include <atomic>

#include "rocket/base/ids.h"

namespace rocket::spec {
namespace {

constexpr const char* kFormType = "application/x-www-form-urlencoded";

}  // namespace

std::string new_key() { return "spec-" + random_uuid(); }

OwnCoordinates own_coordinates() {
  static std::atomic<std::uint64_t> next{1};
  const std::uint64_t n = next++;
  OwnCoordinates own{static_cast<double>(n % 80'000) / 1000, static_cast<double>(n / 80'000), {}};
  own.form = "origin_lat=" + std::to_string(own.lat) + "&origin_lon=" + std::to_string(own.lon) +
             "&target_lat=1&target_lon=2";
  return own;
}

ClientRequest ride_request(const std::string& key, const std::string& user, const std::string& form) {
  return {"POST",
          "/rides",
          {{"Authorization", user}, {"Idempotency-Key", key}, {"Content-Type", kFormType}},
          form};
}

ClientRequest deposit_request(const std::string& user, const std::string& amount) {
  return {"POST", "/deposits", {{"Authorization", user}, {"Content-Type", kFormType}}, "amount=" + amount};
}

ClientRequest cancel_request(const std::string& ride_id, const std::string& user) {
  return {"DELETE", "/rides/" + ride_id, {{"Authorization", user}}, ""};
}

ClientRequest get_request(const std::string& target, const std::string& user) {
  return {"GET", target, {{"Authorization", user}}, ""};
}

idempotency::Request engine_ride(const std::string& key, const std::string& user) {
  idempotency::Request request;
  request.credential = user;
  request.key = key;
  request.method = "POST";
  request.path = "/rides";
  request.params = R"({"origin_lat":1.5,"origin_lon":-2.25,"target_lat":3.0,"target_lon":4.0})";
  request.origin_ip = "127.0.0.1";
  return request;
}

idempotency::Request engine_cancellation(const std::string& key, const std::string& ride_id,
                                         const std::string& user) {
  idempotency::Request request = engine_ride(key, user);
  request.method = "DELETE";
  request.path = "/rides/" + ride_id;
  request.params = "{}";
  return request;
}

idempotency::Request engine_deposit(const std::string& key, int amount, const std::string& user) {
  idempotency::Request request = engine_ride(key, user);
  request.path = "/deposits";
  request.params = "{\"amount\":" + std::to_string(amount) + "}";
  return request;
}

}  // namespace rocket::spec
