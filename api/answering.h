#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include "api/admission.h"
#include "api/rate_limits.h"
#include "api/request_context.h"
#include "api/response_queue.h"
#include "api/routes.h"
#include "rocket/pg/lanes.h"

namespace rocket::api {

// A request on its way to its answer, and where that goes.
struct Answering {
  RequestContext context;
  ConnectionId from;
  std::shared_ptr<ResponseQueue> responses;
  // Null until it is found.
  const Route* route = nullptr;
  // Why it is refused, for the metrics. Empty if the code of the answer tells it.
  std::string_view refusal{};
  // The lane of a request that needs the database.
  std::optional<pg::Lanes::Slot> on_lane{};
  // Its slot in the line, unless its route needs none.
  std::optional<Admission::Slot> in_line{};
  RateLimits::Charge charge{};
  std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
  // How long it waits for another attempt at its key, counted from `since`. Set once it has met one, and if
  // its client prefers to wait.
  std::optional<std::chrono::seconds> wait{};
};

}  // namespace rocket::api
