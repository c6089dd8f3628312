#pragma once

#include <csignal>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace rocket::process {

// Turns SIGTERM, SIGINT and SIGHUP into something a program can wait for. SIGHUP stays ignored if the process
// was started so, as by nohup. Make one before the first thread starts: it blocks the signals for all later
// threads. Thread safe.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void wait();
  // Returns true, at once, when the process is told to stop; false after `duration`.
  bool wait_for(std::chrono::milliseconds duration);
  bool requested() const { return requested_.load(); }
  // Acts as if the signal had come.
  void request();

 private:
  void watch();

  sigset_t signals_{};
  std::atomic<bool> requested_{false};
  std::atomic<bool> ending_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread watcher_;
};

}  // namespace rocket::process
