#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rocket/pg/query.h"

// What operators see of requests. Each query finds its rows by an index and reads a bounded number of them.
// The columns of JSON text have the fields that docs/operations.md lists.
namespace rocket::operations {

// The code of the answer that a closed key has; see endpoints/failures.h.
inline constexpr std::string_view kClosedCode = "request_closed";

// One row for each parked key, oldest first: email, and request (JSON).
pg::Query list_parked(std::int64_t most, std::chrono::seconds lease_time);

// What an operator looks for. Each value that is set finds requests on its own.
struct Search {
  std::optional<std::string> key_id;
  std::optional<std::string> key;
  std::optional<std::string> ride_id;
  std::optional<std::string> email;
  std::optional<std::string> user_id;

  // Whatever the text can be: an id of a key or its text, the id of a ride or of a user, an e-mail address.
  static Search of(std::string_view text);
};

// One row with JSON: {"requests": […], "more": whether there are more than `most`}, newest first. Of a user
// it finds the latest rides, and other requests only among the latest thousand of all users.
pg::Query find_requests(const Search& search, std::int64_t most, std::chrono::seconds lease_time);

// The row has story (JSON), state and resumed_at. There is none if nothing is known of the key. The key may
// be gone while its ride is there; its state is "gone" then.
pg::Query find_story(const std::string& key_id, std::chrono::seconds lease_time);

// The id of the key that made this ride. There is no row if there is no such ride.
pg::Query find_key_of_ride(const std::string& ride_id);

}  // namespace rocket::operations
