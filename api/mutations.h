#pragma once

#include <asio/awaitable.hpp>

#include "api/failure.h"
#include "api/request_context.h"
#include "rocket/endpoints/endpoint.h"
#include "rocket/idempotency/engine.h"
#include "rocket/pg/lane.h"

namespace rocket::api {

struct MutationOptions {
  // 409, or 422 as draft-ietf-httpapi-idempotency-key-header suggests.
  int key_reused_status = 409;
  // Whether a client may ask for an attempt that fails (raise_error). Not where money moves.
  bool with_raise_error = true;
};

// Answers a request to an endpoint that changes something: checks credentials, key, path and body, in this
// order, and runs the request through the engine. Lets database errors of the credentials check through.
asio::awaitable<HttpResponse> answer_mutation(pg::Lane& lane, const idempotency::Engine& engine,
                                              const endpoints::Endpoint& endpoint,
                                              const RequestContext& context, MutationOptions options);

// Renders the outcome of a request whose credentials are valid.
HttpResponse render_outcome(const endpoints::Endpoint& endpoint, const RequestContext& context,
                            idempotency::Outcome outcome, MutationOptions options);

}  // namespace rocket::api
