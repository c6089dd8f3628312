#include "api/connection_count.h"

namespace rocket::api {

std::optional<ConnectionCount::Slot> ConnectionCount::enter() {
  const std::lock_guard lock(mutex_);
  if (open_ >= limits_.max_connections) return std::nullopt;
  ++open_;
  return std::optional<Slot>(std::in_place, shared_from_this());
}

std::size_t ConnectionCount::open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

bool ConnectionCount::add_to(const std::string& address) {
  if (limits_.max_per_address == 0) return true;
  const std::lock_guard lock(mutex_);
  const auto [found, is_first] = open_of_.try_emplace(address, 0);
  if (found->second >= limits_.max_per_address) return false;
  ++found->second;
  return true;
}

void ConnectionCount::leave(const std::string& address) {
  const std::lock_guard lock(mutex_);
  --open_;
  const auto found = open_of_.find(address);
  if (found != open_of_.end() && --found->second == 0) open_of_.erase(found);
}

}  // namespace rocket::api
