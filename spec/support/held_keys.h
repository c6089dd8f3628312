#pragma once

#include <string>

#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// Keys that some attempt holds which never ends by itself.
namespace rocket::spec {

// The key of a ride that is being worked on, as its first attempt would have made it.
inline void hold_new_key(TestDatabase& database, const std::string& key, const std::string& user = kUser) {
  database.execute(
      "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
      "  request_params, lease, locked_at) "
      "SELECT gen_random_uuid(), users.id, $1, 'POST', '/rides', "
      "  '{\"origin_lat\": 1.5, \"origin_lon\": -2.25, \"target_lat\": 3.0, \"target_lon\": 4.0}', "
      "  gen_random_uuid(), now() FROM users WHERE email = $2",
      {key, user});
}

// Makes an attempt hold a key that exists.
inline void hold_key(TestDatabase& database, const std::string& key) {
  database.execute(
      "UPDATE idempotency_keys SET recovery_point = 'started', finished_at = NULL, response_code = NULL, "
      "  response_body = NULL, lease = gen_random_uuid(), locked_at = now() WHERE idempotency_key = $1",
      {key});
}

// Ends the attempts at all held keys with this answer.
inline void finish_held_keys(TestDatabase& database, int status, const std::string& body) {
  database.execute(
      "UPDATE idempotency_keys SET recovery_point = 'finished', finished_at = now(), response_code = $1, "
      "  response_body = $2, lease = NULL, locked_at = NULL WHERE lease IS NOT NULL",
      {std::to_string(status), body});
}

// Ends the attempts at all held keys without an answer.
inline void release_held_keys(TestDatabase& database) {
  database.execute("UPDATE idempotency_keys SET lease = NULL, locked_at = NULL WHERE lease IS NOT NULL");
}

}  // namespace rocket::spec
