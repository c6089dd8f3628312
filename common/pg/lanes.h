#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "base/log.h"
#include "pg/lane.h"

namespace rocket::pg {

// A fixed number of lanes, each with a thread and a connection of its own. A request lives on one lane from
// its claim to its answer, so its code needs no locks. Choosing lanes is thread safe.
class Lanes {
 public:
  // Starts the threads; connects in the background, and again whenever a connection is lost.
  Lanes(std::size_t count, const LaneOptions& options, const Log& log);
  ~Lanes();

  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  // Ends the threads. What still runs on them is abandoned where it stands, and never resumed: drain first.
  // Call it before anything that runs on the lanes goes; the destructor does it too.
  void stop();

  // Always the same lane for the same text, so that duplicates of one request meet on one connection.
  Lane& lane_for(std::string_view text);
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

  std::vector<std::unique_ptr<LaneThread>> threads_;
};

}  // namespace rocket::pg
