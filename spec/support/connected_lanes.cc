#include "spec/support/connected_lanes.h"

#include <stdexcept>
#include <utility>

#include "rocket/pg/errors.h"
#include "rocket/process/block_on.h"
#include "spec/support/eventually.h"

namespace rocket::spec {
namespace {

constexpr pg::Statement kPing{"spec_ping", "SELECT 1"};

bool answers(pg::Lane& lane) {
  pg::Unit ping;
  ping.queries.emplace_back(kPing, pg::Params{});
  try {
    process::block_on(lane.executor(), lane.commit(std::move(ping)));
    return true;
  } catch (const pg::Unavailable&) {
    return false;
  }
}

}  // namespace

void wait_until_connected(pg::Lanes& lanes) {
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    if (!eventually([&] { return answers(lanes.at(i)); })) {
      throw std::runtime_error("a lane does not connect");
    }
  }
}

}  // namespace rocket::spec
