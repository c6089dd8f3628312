#pragma once

namespace rocket::api {

// What a request has used of the limits of its caller.
struct Usage {
  // It has made an idempotency key that is stored now.
  bool is_new_key = false;
  // It has left that key unfinished.
  bool is_unfinished = false;
  // It made a charge that was declined.
  bool is_decline = false;
};

}  // namespace rocket::api
