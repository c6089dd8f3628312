#include "api/held_memory.h"

namespace rocket::api {

void HeldMemory::change(const ConnectionId& connection, Share& share, Share now) {
  now.can_be_given_up = now.can_be_given_up && now.bytes >= kLarge;
  if (share.bytes == now.bytes && share.can_be_given_up == now.can_be_given_up) return;
  if (share.can_be_given_up) large_.erase({share.bytes, connection.serial, connection.descriptor});
  if (now.can_be_given_up) large_.emplace(now.bytes, connection.serial, connection.descriptor);
  // The difference wraps around when the share has become smaller, and the sum is right again.
  total_ += now.bytes - share.bytes;
  share = now;
}

std::optional<ConnectionId> HeldMemory::to_give_up() const {
  if (large_.empty() || total_.load() <= allowed_) return std::nullopt;
  const auto& [bytes, serial, descriptor] = *large_.rbegin();
  return ConnectionId{descriptor, serial};
}

}  // namespace rocket::api
