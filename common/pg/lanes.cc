#include "pg/lanes.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace rocket::pg {
namespace {

// Some more than requests are usually under way: few share one by accident, which does no harm.
constexpr std::size_t kGroups = 4096;

}  // namespace

Lanes::Place::Place(Place&& other) noexcept
    : lanes_(std::exchange(other.lanes_, nullptr)), group_(other.group_), lane_(other.lane_) {}

Lanes::Place::~Place() {
  if (lanes_ != nullptr) lanes_->leave(group_);
}

Lane& Lanes::Place::lane() const { return lanes_->at(lane_); }

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

void Lanes::stop() {
  for (auto& each : threads_) each->context.stop();
  for (auto& each : threads_) {
    if (each->thread.joinable()) each->thread.join();
  }
}

Lanes::Place Lanes::enter(std::string_view text) {
  const std::size_t group = std::hash<std::string_view>{}(text) % groups_.size();
  const std::lock_guard lock(mutex_);
  if (groups_[group].under_way == 0) {
    groups_[group].lane =
        static_cast<std::size_t>(std::min_element(under_way_.begin(), under_way_.end()) - under_way_.begin());
  }
  ++groups_[group].under_way;
  ++under_way_[groups_[group].lane];
  return {*this, group, groups_[group].lane};
}

void Lanes::leave(std::size_t group) {
  const std::lock_guard lock(mutex_);
  --groups_[group].under_way;
  --under_way_[groups_[group].lane];
}

}  // namespace rocket::pg
