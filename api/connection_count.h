#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace rocket::api {

struct ConnectionLimits {
  std::size_t max_connections = 16'384;
  // 0: no limit.
  std::size_t max_per_address = 0;
};

// Counts the open connections, in total and for each address. Thread safe.
class ConnectionCount : public std::enable_shared_from_this<ConnectionCount> {
 public:
  // The slot of one connection. The destructor gives it back. The slot keeps the count alive. Use it on one
  // thread at a time.
  class Slot {
   public:
    explicit Slot(std::shared_ptr<ConnectionCount> count) : count_(std::move(count)) {}
    ~Slot() {
      if (count_) count_->leave(address_);
    }
    Slot(Slot&&) = default;
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    Slot& operator=(Slot&&) = delete;

    // Counts the connection for this address too, from now on. Returns false, and does not count it for the
    // address, when it would be one too many. Call it once.
    bool count_for(const std::string& address) {
      if (!count_->add_to(address)) return false;
      address_ = address;
      return true;
    }

   private:
    std::shared_ptr<ConnectionCount> count_;
    // Empty while it counts for no address.
    std::string address_{};
  };

  explicit ConnectionCount(ConnectionLimits limits) : limits_(limits) {}

  // Returns nullopt when the connection would be one too many. The slot counts for no address yet.
  std::optional<Slot> enter();
  std::size_t open() const;

 private:
  bool add_to(const std::string& address);
  void leave(const std::string& address);

  ConnectionLimits limits_;
  mutable std::mutex mutex_;
  std::size_t open_ = 0;
  // Empty without a limit per address.
  std::unordered_map<std::string, std::size_t> open_of_;
};

}  // namespace rocket::api
