#pragma once

#include <asio/co_spawn.hpp>
#include <asio/use_future.hpp>
#include <chrono>
#include <exception>
#include <future>

#include "rocket/base/log.h"
#include "rocket/pg/lane.h"

namespace rocket::process {

// Calls `holder.release_leases(lane)` to release the leases of the work that a stopping process could not
// end. It takes two seconds at most: if the database does not answer, the leases end by themselves.
template <typename Holder>
void release_leases(const Holder& holder, pg::Lane& lane, const Log& log) {
  constexpr std::chrono::milliseconds kTimeLimit{1500};
  auto released = asio::co_spawn(lane.executor(), holder.release_leases(lane), asio::use_future);
  try {
    if (released.wait_for(kTimeLimit) != std::future_status::ready) {
      log.warn("could not release leases in time");
    } else if (const auto keys = released.get(); keys > 0) {
      log.warn("leases released", {{"keys", keys}});
    }
  } catch (const std::exception& error) {
    log.warn("could not release leases", {{"error", error.what()}});
  }
}

}  // namespace rocket::process
