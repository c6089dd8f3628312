#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "api/failure.h"
#include "api/readiness.h"
#include "api/request_context.h"
#include "rocket/payments/circuit_breaker.h"
#include "rocket/pg/lane.h"

// The requests that change nothing. All let database errors through.
namespace rocket::api {

// Runs one query in a transaction that it shares with others of its kind. `caller` and `ids` are as in
// pg::Unit.
asio::awaitable<pg::Result> run(pg::Lane& lane, pg::Query query, std::string caller = {},
                                SharedRequestIds ids = {});

// GET /rides/{id}: the owner's ride, and its state: "unfinished" while its own request is unfinished, then
// "not_charged" or "charged"; "cancelling" until its refund is certain, then "cancelled".
asio::awaitable<HttpResponse> answer_ride(pg::Lane& lane, const RequestContext& context);

// GET /rides: the owner's rides, newest first, a page at a time.
asio::awaitable<HttpResponse> answer_rides(pg::Lane& lane, const RequestContext& context);

// GET /idempotency-keys/{key}: how far the owner's request got, so that a client which lost an answer can
// ask.
asio::awaitable<HttpResponse> answer_key(pg::Lane& lane, const RequestContext& context,
                                         std::chrono::seconds retention, std::chrono::seconds lease_time);

// GET /account: {"balance": whole dollars, "currency": "usd"}.
asio::awaitable<HttpResponse> answer_account(pg::Lane& lane, const RequestContext& context);

// GET /readyz: 200 while the database answers and has what this process needs. The body also tells whether
// the payment provider answers, by the state of its circuit breaker. Without the provider the service still
// replays what is stored, and takes deposits.
asio::awaitable<HttpResponse> answer_ready(pg::Lane& lane, const RequestContext& context,
                                           Readiness& readiness, payments::CircuitState circuit);

// "closed", "open" or "half-open", the usual names.
const char* name_of(payments::CircuitState circuit);

// The statements of all these queries.
std::vector<pg::Statement> query_statements();

}  // namespace rocket::api
