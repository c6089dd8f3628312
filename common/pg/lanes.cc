#include "rocket/pg/lanes.h"

#include <functional>
#include <utility>

namespace rocket::pg {
namespace {

// More groups than there are usually requests under way. Keys that share a group share a lane, which does no
// harm.
constexpr std::size_t kGroups = 4096;

}  // namespace

Lanes::Slot::Slot(Slot&& other) noexcept
    : lanes_(std::exchange(other.lanes_, nullptr)), lane_(other.lane_), group_(other.group_) {}

Lanes::Slot::~Slot() {
  if (lanes_ != nullptr) lanes_->leave(*this);
}

Lanes::Lanes(std::size_t count, const LaneOptions& options, const Log& log)
    : groups_(kGroups), under_way_(count, 0) {
  threads_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    threads_.push_back(std::make_unique<LaneThread>(options, log));
    LaneThread& own = *threads_.back();
    own.thread = std::thread([&own] { own.context.run(); });
  }
}

Lanes::~Lanes() { stop(); }

void Lanes::wait_for_first_attempts() const {
  for (const auto& each : threads_) each->lane.wait_for_first_attempt();
}

void Lanes::stop() {
  for (auto& each : threads_) each->context.stop();
  for (auto& each : threads_) {
    if (each->thread.joinable()) each->thread.join();
  }
  threads_.clear();
}

Lanes::Slot Lanes::enter(std::optional<std::string_view> key) {
  const std::lock_guard lock(mutex_);
  if (!key) {
    const std::size_t lane = freest_lane();
    ++under_way_[lane];
    return {*this, lane, std::nullopt};
  }
  const std::size_t index = std::hash<std::string_view>{}(*key) % groups_.size();
  Group& group = groups_[index];
  if (group.under_way == 0) group.lane = freest_lane();
  ++group.under_way;
  ++under_way_[group.lane];
  return {*this, group.lane, index};
}

std::size_t Lanes::freest_lane() const {
  const auto load = [this](std::size_t lane) {
    return std::pair(threads_[lane]->lane.is_away(), under_way_[lane]);
  };
  std::size_t freest = 0;
  for (std::size_t lane = 1; lane < threads_.size(); ++lane) {
    if (load(lane) < load(freest)) freest = lane;
  }
  return freest;
}

void Lanes::leave(const Slot& slot) {
  const std::lock_guard lock(mutex_);
  --under_way_[slot.lane_];
  if (slot.group_) --groups_[*slot.group_].under_way;
}

}  // namespace rocket::pg
