#pragma once

#include <asio/co_spawn.hpp>
#include <asio/use_future.hpp>
#include <chrono>
#include <exception>
#include <future>

#include "base/log.h"
#include "pg/lane.h"

namespace rocket::process {

// Hands back, through `hand_back_all(lane)`, what a stopping process could not end. It takes two seconds at
// most: where the database does not answer, the leases end by themselves.
template <typename Holder>
void hand_back(const Holder& holder, pg::Lane& lane, const Log& log) {
  constexpr std::chrono::milliseconds kTimeLimit{1500};
  auto handed_back = asio::co_spawn(lane.executor(), holder.hand_back_all(lane), asio::use_future);
  try {
    if (handed_back.wait_for(kTimeLimit) != std::future_status::ready) {
      log.warn("could not hand back in time");
    } else if (const auto keys = handed_back.get(); keys > 0) {
      log.warn("handed back", {{"keys", keys}});
    }
  } catch (const std::exception& error) {
    log.warn("could not hand back", {{"error", error.what()}});
  }
}

}  // namespace rocket::process
