#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <string>

#include "api/exchange.h"
#include "api/failure.h"
#include "api/parameters.h"
#include "idempotency/engine.h"
#include "idempotency/flow.h"
#include "pg/lane.h"

namespace rocket::api {

// A request body, checked, in the form in which the key stores and compares it.
struct AcceptedBody {
  // A JSON object.
  std::string params;
  bool raise_error = false;
};

// What the HTTP side must know of an endpoint that changes something; the rest is in its flow.
struct Mutation {
  const idempotency::Flow* flow = nullptr;
  // Given what the path's variable stands for too; empty without one.
  std::function<OrFailure<AcceptedBody>(const Parameters&, const std::string&)> accept;
  // Without a key each request stands for itself.
  bool key_is_optional = false;
};

OrFailure<AcceptedBody> accept_ride(const Parameters& parameters);
OrFailure<AcceptedBody> accept_cancellation(const Parameters& parameters, const std::string& ride_id);
OrFailure<AcceptedBody> accept_deposit(const Parameters& parameters);

struct MutationOptions {
  // 409, or 422 as draft-ietf-httpapi-idempotency-key-header suggests.
  int key_reused_status = 409;
};

// Checks credentials, key and body, in this order, and runs the request through the engine.
// Lets database errors of the credentials check through.
asio::awaitable<HttpResponse> answer_mutation(pg::Lane& lane, const idempotency::Engine& engine,
                                              const Mutation& mutation, const Exchange& exchange,
                                              MutationOptions options);

// 503 database_unavailable.
Failure database_unavailable();

}  // namespace rocket::api
