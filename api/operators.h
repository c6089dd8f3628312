#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/board.h"
#include "api/request_context.h"
#include "api/request_metrics.h"
#include "api/routes.h"
#include "rocket/base/log.h"
#include "rocket/operations/parked_keys.h"
#include "rocket/payments/circuit_breaker.h"
#include "rocket/pg/lane.h"
#include "rocket/pg/lanes.h"

namespace rocket::api {

// Answers what operators ask at /ops: the board, requests and their stories, and orders for parked keys. All
// of it needs credentials with the scope operate: 401 without credentials, 403 without the scope.
//
// It has a lane of its own, so that it takes no time from the other lanes. The lane begins with the first
// request.
class Operators {
 public:
  // Everything passed by reference must outlive it.
  Operators(pg::LaneOptions database, bool emails_may_operate, std::chrono::seconds lease_time,
            const payments::CircuitBreaker& provider, const RequestMetrics& metrics, const Log& log);

  std::vector<Route> routes();

  // Stops the lane, if there is one; see pg::Lanes::stop(). No request may come later.
  void stop();

 private:
  pg::Lanes& lanes();

  asio::awaitable<HttpResponse> answer_board(pg::Lane& lane, const RequestContext& context);
  asio::awaitable<HttpResponse> answer_search(pg::Lane& lane, const RequestContext& context) const;
  asio::awaitable<HttpResponse> answer_story(pg::Lane& lane, const RequestContext& context) const;
  asio::awaitable<HttpResponse> answer_order(pg::Lane& lane, const RequestContext& context,
                                             operations::Deed deed) const;

  const pg::LaneOptions database_;
  const std::chrono::seconds lease_time_;
  const Log& log_;
  Board board_;
  std::once_flag begun_;
  // Declared last, so that its thread ends before what the thread uses is destroyed.
  std::unique_ptr<pg::Lanes> lanes_;
};

}  // namespace rocket::api
