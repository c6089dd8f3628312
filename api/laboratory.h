#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "api/mutations.h"
#include "api/request_context.h"
#include "rocket/base/log.h"
#include "rocket/endpoints/rides.h"
#include "rocket/idempotency/engine.h"
#include "rocket/payments/charge_gateway.h"
#include "rocket/pg/lane.h"
#include "rocket/pg/lanes.h"

namespace rocket::api {

struct LaboratoryOptions {
  // Whether requests may be made to fail. Allowed only where no real provider is charged.
  bool with_faults = false;
  // The ledger of the mock provider. Empty when it keeps none.
  std::string ledger;
  endpoints::RideOptions rides;
  MutationOptions mutations;
  // Whether an e-mail address is enough to see the board. Only where nobody but this machine reaches the api.
  bool emails_may_operate = false;
};

// Serves the page /lab. It shows operators all requests that are under way, whoever sent them, and makes the
// viewer's own requests fail on demand. For developers, never for the public. It has its own lane. Viewers
// share one query a second. Each watched request adds one.
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
  // Each experiment runs on the lane of lanes(), and lets database errors through.
  std::vector<Experiment> experiments();
  pg::Lanes& lanes() { return lanes_; }

  // Stops the lanes; see pg::Lanes::stop().
  void stop() { lanes_.stop(); }

 private:
  using Clock = std::chrono::steady_clock;

  asio::awaitable<HttpResponse> answer_board(pg::Lane& lane, const RequestContext& context);
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
  // Declared last, so that its thread ends before what the thread uses is destroyed.
  pg::Lanes lanes_;
};

}  // namespace rocket::api
