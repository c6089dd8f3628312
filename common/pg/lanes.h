#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "rocket/base/log.h"
#include "rocket/pg/lane.h"

namespace rocket::pg {

// A fixed number of lanes, each with a thread and a connection of its own. A request lives on one lane from
// its claim to its answer, so its code needs no locks. Entering and leaving is thread safe.
class Lanes {
 public:
  // The place of a request on its lane while the request is under way. The lanes must outlive it.
  class Slot {
   public:
    Slot(Slot&& other) noexcept;
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    Slot& operator=(Slot&&) = delete;
    ~Slot();

    // Not to be called on a slot that was moved from.
    Lane& lane() const { return lanes_->at(lane_); }

   private:
    friend class Lanes;
    Slot(Lanes& lanes, std::size_t lane, std::optional<std::size_t> group)
        : lanes_(&lanes), lane_(lane), group_(group) {}

    Lanes* lanes_;
    std::size_t lane_;
    std::optional<std::size_t> group_;
  };

  // Starts the threads; connects in the background, and again whenever a connection is lost.
  Lanes(std::size_t count, const LaneOptions& options, const Log& log);
  ~Lanes();

  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  // Blocks until each lane's first attempt to connect has ended: for at most the connect timeout.
  void wait_for_first_attempts() const;
  // Ends the threads and the lanes. What still runs on them is abandoned and never resumed, so drain first.
  // Its coroutines are destroyed here, with what they hold, so call it before anything that they use is
  // destroyed. The destructor does it too. Afterwards there are no lanes.
  void stop();

  // Enters the lane that already has requests with this key, so that duplicates of one request meet on one
  // connection. If there are none, or no key, it takes the lane with the fewest requests, and prefers lanes
  // that reach the database.
  Slot enter(std::optional<std::string_view> key = std::nullopt);
  std::size_t size() const { return threads_.size(); }
  Lane& at(std::size_t index) { return threads_[index]->lane; }

 private:
  struct LaneThread {
    LaneThread(const LaneOptions& options, const Log& log)
        : keep_running(asio::make_work_guard(context)), lane(context.get_executor(), options, log) {}

    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> keep_running;
    Lane lane;
    std::thread thread;
  };

  // The requests whose keys have the same hash, modulo the number of groups.
  struct Group {
    std::size_t lane = 0;
    std::size_t under_way = 0;
  };

  // Call it with the mutex held.
  std::size_t freest_lane() const;
  void leave(const Slot& slot);

  std::mutex mutex_;
  std::vector<Group> groups_;
  // How many requests are under way on each lane.
  std::vector<std::size_t> under_way_;
  // Declared last, so that it is destroyed first: abandoned requests give their slots back then.
  std::vector<std::unique_ptr<LaneThread>> threads_;
};

}  // namespace rocket::pg
