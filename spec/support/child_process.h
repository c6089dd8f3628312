#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace rocket::spec {

using Environment = std::map<std::string, std::string>;

// For specs of what a process does when its database stalls or is away: the time limit that the program has
// by default. All others have a patient one, so that none fails because the machine is slow.
inline const Environment::value_type kDefaultDatabaseTimeout{"DATABASE_TIMEOUT_MS", ""};

struct ExitStatus {
  // Exactly one of the two is set.
  std::optional<int> code;
  std::optional<int> signal;
};

// A program, running. It gets an environment of nothing but what is given (and PATH), so that the
// tester's own settings do not leak in. Ended with SIGKILL, if it still runs, and reaped by the destructor;
// the kernel ends it when the test itself is killed. Thread safe.
//
// The test fails when a sanitizer has reported something in it, and when it ended by itself with anything but
// status 0 and nobody was told. The leak sanitizer speaks only at a good end; see expect_good_end().
class ChildProcess {
 public:
  // `program` is a name from build/bin, such as "api", or the path of somebody else's program. Throws
  // std::system_error when it cannot be started.
  ChildProcess(const std::string& program, const Environment& environment,
               const std::vector<std::string>& flags = {});
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // Standard output and standard error so far, as they came.
  std::string output() const;
  // The first whole line that holds this text. Throws std::runtime_error, with the output, when none comes in
  // time.
  std::string wait_for_line(const std::string& text,
                            std::chrono::milliseconds limit = std::chrono::seconds(15)) const;
  // Nothing when it still runs after the limit. All output has been read then.
  std::optional<ExitStatus> wait_for_exit(std::chrono::milliseconds limit = std::chrono::seconds(15)) const;
  bool running() const;
  // Does nothing once it has ended.
  void kill(int signal) const;

 private:
  void watch(int output_end);
  void report_trouble() const;

  std::string program_;
  pid_t pid_ = -1;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::string output_;
  std::optional<ExitStatus> exit_;
  // Somebody was told of its end.
  mutable bool end_is_known_ = false;
  std::thread watcher_;
};

// Tells it to end (SIGTERM), and expects that it does, within 10 s and with status 0.
void expect_good_end(const ChildProcess& process);

// Runs it to its end, which must come within 15 s.
struct Finished {
  ExitStatus exit;
  std::string output;
};
Finished run_to_end(const std::string& program, const Environment& environment,
                    const std::vector<std::string>& flags = {});

}  // namespace rocket::spec
