#pragma once

#include <asio/awaitable.hpp>
#include <string>
#include <vector>

#include "api/mutations.h"
#include "api/request_context.h"
#include "api/routes.h"
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
};

// Serves the page /lab, which makes the viewer's own requests fail on demand. For developers, never for the
// public. It has its own lane. Each watched request costs a query a second. What everybody's requests are
// doing, the page learns from the operators' board; see Operators.
class Laboratory {
 public:
  // Everything passed must outlive the laboratory.
  Laboratory(const pg::LaneOptions& database, const idempotency::Engine& engine,
             payments::ChargeGateway& provider, LaboratoryOptions options, const Log& log);

  std::vector<Route> routes();

  // Stops the lanes; see pg::Lanes::stop().
  void stop() { lanes_.stop(); }

 private:
  asio::awaitable<HttpResponse> answer_request(pg::Lane& lane, const RequestContext& context) const;
  asio::awaitable<HttpResponse> answer_hurry(pg::Lane& lane, const RequestContext& context) const;
  asio::awaitable<HttpResponse> answer_faulty_ride(pg::Lane& lane, const RequestContext& context) const;

  const idempotency::Engine& engine_;
  payments::ChargeGateway& provider_;
  LaboratoryOptions options_;
  // Declared last, so that its thread ends before what the thread uses is destroyed.
  pg::Lanes lanes_;
};

}  // namespace rocket::api
