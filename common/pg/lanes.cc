#include "pg/lanes.h"

#include <functional>

namespace rocket::pg {

Lanes::Lanes(std::size_t count, const LaneOptions& options, const Log& log) {
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

Lane& Lanes::lane_for(std::string_view text) {
  return threads_[std::hash<std::string_view>{}(text) % threads_.size()]->lane;
}

}  // namespace rocket::pg
