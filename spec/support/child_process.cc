#include "spec/support/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "spec/support/paths.h"
#include "spec/support/roles.h"

namespace rocket::spec {
namespace {

// Raises the time limits, because a slow machine must not fail a test. Does not change settings that the spec
// gives, and adds none that the program does not know.
void add_patience(Environment& environment) {
  if (environment.contains("DATABASE_URL")) environment.emplace("DATABASE_TIMEOUT_MS", "20000");
  if (environment.contains("JOB_QUEUE")) {
    environment.emplace("JOB_QUEUE_CONNECT_TIMEOUT_MS", "3000");
    environment.emplace("JOB_QUEUE_TIMEOUT_MS", "6000");
  }
}

std::vector<std::string> complete_environment(Environment environment) {
  add_patience(environment);
  for (const char* name : {"PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    if (value != nullptr) environment.emplace(name, value);
  }
  // Many processes run side by side, and would want the same ports.
  environment.emplace("METRICS_PORT", "0");
  std::vector<std::string> entries;
  entries.reserve(environment.size());
  for (const auto& [name, value] : environment) entries.push_back(name + "=" + value);
  return entries;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Runs between fork and exec, so it may only call async-signal-safe functions: the other threads are gone.
[[noreturn]] void become(char* const* arguments, char* const* environment, int output, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int input = ::open("/dev/null", O_RDONLY);
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  // This closes Asio's sockets too. Otherwise the child would keep a connection open that the test has
  // closed.
  ::closefrom(STDERR_FILENO + 1);
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const std::string& program, const Environment& environment,
                           const std::vector<std::string>& flags)
    : program_(program) {
  std::vector<std::string> arguments{program.starts_with('/') ? program : rocket::spec::program(program)};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  if (::access(arguments[0].c_str(), X_OK) != 0) {
    throw std::system_error(errno, std::generic_category(), arguments[0]);
  }
  std::vector<std::string> entries = complete_environment(with_role(program, environment));
  const std::vector<char*> argument_pointers = pointers_to(arguments);
  const std::vector<char*> environment_pointers = pointers_to(entries);

  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become(argument_pointers.data(), environment_pointers.data(), ends[1], parent);
  const int mistake = errno;
  ::close(ends[1]);
  if (pid_ < 0) {
    ::close(ends[0]);
    throw std::system_error(mistake, std::generic_category(), "fork");
  }
  watcher_ = std::thread([this, output_end = ends[0]] { watch(output_end); });
}

ChildProcess::~ChildProcess() {
  kill(SIGKILL);
  watcher_.join();
  report_trouble();
}

void ChildProcess::report_trouble() const {
  // The second text is that of UndefinedBehaviorSanitizer.
  for (const char* report : {"Sanitizer: ", ": runtime error: "}) {
    if (output_.find(report) == std::string::npos) continue;
    ADD_FAILURE() << "a sanitizer found something in " << program_ << "; output:\n" << output_;
    return;
  }
  // SIGKILL is no failure: specs send it on purpose, and some do so without kill().
  if (end_is_known_ || exit_->code == 0 || exit_->signal == SIGKILL) return;
  ADD_FAILURE() << program_ << " ended by itself with "
                << (exit_->code ? "status " + std::to_string(*exit_->code)
                                : "signal " + std::to_string(*exit_->signal))
                << "; output:\n"
                << output_;
}

void ChildProcess::watch(int output_end) {
  std::array<char, 4096> bytes{};
  for (;;) {
    const ssize_t size = ::read(output_end, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    const std::lock_guard lock(mutex_);
    output_.append(bytes.data(), static_cast<std::size_t>(size));
    changed_.notify_all();
  }
  ::close(output_end);
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  // Reaps under the lock, so that kill() never hits another process that got the same pid.
  const std::lock_guard lock(mutex_);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  exit_.emplace();
  if (WIFEXITED(status)) exit_->code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) exit_->signal = WTERMSIG(status);
  changed_.notify_all();
}

std::string ChildProcess::output() const {
  const std::lock_guard lock(mutex_);
  return output_;
}

std::string ChildProcess::wait_for_line(const std::string& text, std::chrono::milliseconds limit) const {
  std::unique_lock lock(mutex_);
  std::optional<std::string> line;
  const auto find = [&] {
    const auto at = output_.find(text);
    if (at == std::string::npos) return false;
    const auto before = output_.rfind('\n', at);
    const auto begin = before == std::string::npos ? 0 : before + 1;
    const auto end = output_.find('\n', at);
    if (end == std::string::npos) return false;
    line = output_.substr(begin, end - begin);
    return true;
  };
  changed_.wait_for(lock, limit, [&] { return find() || exit_; });
  if (line) return *line;
  end_is_known_ = exit_.has_value();
  throw std::runtime_error("no line with \"" + text + "\" came; output:\n" + output_);
}

std::optional<ExitStatus> ChildProcess::wait_for_exit(std::chrono::milliseconds limit) const {
  std::unique_lock lock(mutex_);
  end_is_known_ = changed_.wait_for(lock, limit, [&] { return exit_.has_value(); });
  return exit_;
}

bool ChildProcess::running() const {
  const std::lock_guard lock(mutex_);
  return !exit_;
}

void ChildProcess::kill(int signal) const {
  const std::lock_guard lock(mutex_);
  if (!exit_) ::kill(pid_, signal);
}

void expect_good_end(const ChildProcess& process) {
  process.kill(SIGTERM);
  const auto exit = process.wait_for_exit(std::chrono::seconds(10));
  ASSERT_TRUE(exit.has_value()) << process.output();
  EXPECT_EQ(exit->code, 0) << process.output();
}

Finished run_to_end(const std::string& program, const Environment& environment,
                    const std::vector<std::string>& flags) {
  const ChildProcess child(program, environment, flags);
  const auto exit = child.wait_for_exit();
  if (!exit) throw std::runtime_error(program + " does not end; output:\n" + child.output());
  return {*exit, child.output()};
}

}  // namespace rocket::spec
