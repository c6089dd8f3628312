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

// The program's default time limit, for specs that stall or stop the database. All other specs use a longer
// limit, so that a slow machine does not make them fail.
inline const Environment::value_type kDefaultDatabaseTimeout{"DATABASE_TIMEOUT_MS", ""};

struct ExitStatus {
  // Exactly one of the two is set.
  std::optional<int> code;
  std::optional<int> signal;
};

// A running program. Its environment holds only what is given and PATH, so that the tester's own settings do
// not leak in. The destructor kills the process with SIGKILL if it still runs, and reaps it. If the test
// itself is killed, the kernel kills the process too. Thread safe.
//
// The test fails when a sanitizer has reported an error in the process. It also fails when the process ended
// by itself with a status other than 0 and the test never asked for its exit status. The leak sanitizer
// reports only when the process ends normally; see expect_good_end().
class ChildProcess {
 public:
  // `program` is a name from build/bin, such as "api", or the path of another program. Throws
  // std::system_error when it cannot be started.
  ChildProcess(const std::string& program, const Environment& environment,
               const std::vector<std::string>& flags = {});
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // Standard output and standard error so far, mixed in the order of arrival.
  std::string output() const;
  // The first complete line that contains this text. If there is none in time, throws std::runtime_error with
  // the output.
  std::string wait_for_line(const std::string& text,
                            std::chrono::milliseconds limit = std::chrono::seconds(15)) const;
  // Returns nullopt if the process still runs after the limit. If it has ended, all its output has been read.
  std::optional<ExitStatus> wait_for_exit(std::chrono::milliseconds limit = std::chrono::seconds(15)) const;
  bool running() const;
  // Does nothing if the process has ended.
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
  // The test has seen the exit status.
  mutable bool end_is_known_ = false;
  std::thread watcher_;
};

// Sends SIGTERM and expects that the process ends within 10 s with status 0.
void expect_good_end(const ChildProcess& process);

// Runs the program to its end, which must come within 15 s.
struct Finished {
  ExitStatus exit;
  std::string output;
};
Finished run_to_end(const std::string& program, const Environment& environment,
                    const std::vector<std::string>& flags = {});

}  // namespace rocket::spec
