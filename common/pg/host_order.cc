#include "rocket/pg/host_order.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

namespace rocket::pg {
namespace {

// If a name leads to ever new addresses, the oldest failures are forgotten.
constexpr std::size_t kRemembered = 64;

}  // namespace

void HostOrder::sort(std::vector<Keywords>& servers) const {
  const std::lock_guard lock(mutex_);
  // How bad the latest failure of the server was, and how recent it was; zero for none.
  const auto rank = [this](const Keywords& server) {
    const auto latest = std::find_if(failed_.rbegin(), failed_.rend(), [&](const Failed& each) {
      // The keywords of an address are those of its server, and more.
      return std::includes(each.server.begin(), each.server.end(), server.begin(), server.end());
    });
    if (latest == failed_.rend()) return std::pair(0, std::ptrdiff_t{0});
    return std::pair(latest->failure == Failure::kTimeOut ? 2 : 1, std::distance(latest, failed_.rend()));
  };
  std::stable_sort(servers.begin(), servers.end(),
                   [&](const Keywords& a, const Keywords& b) { return rank(a) < rank(b); });
}

void HostOrder::add_failure(const Keywords& server, Failure failure) {
  const std::lock_guard lock(mutex_);
  std::erase_if(failed_, [&](const Failed& each) { return each.server == server; });
  failed_.push_back({server, failure});
  if (failed_.size() > kRemembered) failed_.erase(failed_.begin());
}

}  // namespace rocket::pg
