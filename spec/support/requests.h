#pragma once

#include <string>

#include "rocket/idempotency/request.h"
#include "spec/support/http_client.h"

// The requests that most specs send.
namespace rocket::spec {

inline constexpr const char* kUser = "user@example.com";
// A user whose card is declined.
inline constexpr const char* kDeclinedUser = "user-bad-source@example.com";
inline constexpr const char* kRideForm = "origin_lat=1.5&origin_lon=-2.25&target_lat=3&target_lon=4";

// A new random idempotency key.
std::string new_key();

// Coordinates that no other ride of this process has, so that they show to which request an answer belongs.
struct OwnCoordinates {
  double lat = 0;
  double lon = 0;
  // The form of a ride from there.
  std::string form;
};
OwnCoordinates own_coordinates();

// POST /rides as the contract's curl sends it.
ClientRequest ride_request(const std::string& key, const std::string& user = kUser,
                           const std::string& form = kRideForm);
ClientRequest deposit_request(const std::string& user, const std::string& amount);
// DELETE /rides/{id} without an idempotency key.
ClientRequest cancel_request(const std::string& ride_id, const std::string& user = kUser);
// With an Authorization header.
ClientRequest get_request(const std::string& target, const std::string& user = kUser);

// The same requests in the form that the engine takes.
idempotency::Request engine_ride(const std::string& key, const std::string& user = kUser);
idempotency::Request engine_cancellation(const std::string& key, const std::string& ride_id,
                                         const std::string& user = kUser);
idempotency::Request engine_deposit(const std::string& key, int amount, const std::string& user = kUser);

}  // namespace rocket::spec
