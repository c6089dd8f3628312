#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "api/mutations.h"
#include "api/request_context.h"
#include "base/log.h"
#include "endpoints/rides.h"
#include "idempotency/engine.h"
#include "payments/charge_gateway.h"
#include "pg/lane.h"
#include "pg/lanes.h"

namespace rocket::api {

struct LaboratoryOptions {
  // Requests may be made to fail: only where no real provider is charged.
  bool with_faults = false;
  // The mock provider's; empty when it keeps none.
  std::string ledger;
  endpoints::RideOptions rides;
  MutationOptions mutations;
};

// What the page /lab shows and does: all that is under way, whoever asked for it, and faults for requests of
// one's own. For developers, and never for the public. It has a lane to itself, and all viewers together
// cause one query a second, and each who watches a request of theirs another.
class Laboratory {
 public:
  // Everything passed must outlive the laboratory.
  Laboratory(const pg::LaneOptions& database, const idempotency::Engine& engine,
             payments::ChargeGateway& provider, LaboratoryOptions options, const Log& log);

  struct Experiment {
    std::string method;
    std::string path;
    std::function<asio::awaitable<HttpResponse>(pg::Lane&, const RequestContext&)> answer;
  };
  // Each runs on the lane below, and lets database errors through.
  std::vector<Experiment> experiments();
  pg::Lanes& lanes() { return lanes_; }

  // As of lanes.
  void stop() { lanes_.stop(); }

 private:
  using Clock = std::chrono::steady_clock;

  asio::awaitable<HttpResponse> answer_board(pg::Lane& lane);
  asio::awaitable<HttpResponse> answer_request(pg::Lane& lane, const RequestContext& context) const;
  asio::awaitable<HttpResponse> answer_hurry(pg::Lane& lane, const RequestContext& context) const;
  asio::awaitable<HttpResponse> answer_faulty_ride(pg::Lane& lane, const RequestContext& context) const;

  const idempotency::Engine& engine_;
  payments::ChargeGateway& provider_;
  LaboratoryOptions options_;
  // Used on the lane's thread only.
  std::string board_;
  Clock::time_point board_is_of_{};
  bool asking_ = false;
  // Last, so that its thread is gone before what it uses.
  pg::Lanes lanes_;
};

}  // namespace rocket::api
