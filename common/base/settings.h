#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocket {

// The configuration of one process: each setting comes from a flag, else from an environment variable, else
// from the default that its target already holds. An empty variable counts as unset. So does a NAME_PORT that
// Kubernetes sets for a service (tcp://10.0.0.1:80), with a warning on standard error.
//
//   Settings settings("reaper", "removes old idempotency keys");
//   settings.add("batch", {"REAPER_BATCH"}, "keys", "keys removed per transaction", batch, 1, 100000);
//   if (auto exit_code = settings.read(argc, argv)) return *exit_code;
class Settings {
 public:
  Settings(std::string process, std::string purpose);

  // The name of the process, such as "api".
  const std::string& process() const { return process_; }

  void add(std::string flag, std::vector<std::string> variables, std::string unit, std::string help,
           std::int64_t& target, std::int64_t least, std::int64_t most);
  void add(std::string flag, std::vector<std::string> variables, std::string help,
           std::chrono::seconds& target, std::chrono::seconds least, std::chrono::seconds most);
  void add(std::string flag, std::vector<std::string> variables, std::string help,
           std::chrono::milliseconds& target, std::chrono::milliseconds least,
           std::chrono::milliseconds most);
  void add(std::string flag, std::vector<std::string> variables, std::string unit, std::string help,
           double& target, double least, double most);
  // If `allowed` is empty, any non-empty text is allowed.
  void add(std::string flag, std::vector<std::string> variables, std::string help, std::string& target,
           std::vector<std::string> allowed = {});
  // A switch on the command line; 1/true/on/yes or 0/false/off/no in the environment.
  void add(std::string flag, std::vector<std::string> variables, std::string help, bool& target);
  // A value that may only come from the environment, because command lines are visible to other users.
  void add_secret(std::vector<std::string> variables, std::string help, std::string& target);

  // Adds a check for a mistake that only the caller can see, such as two settings that contradict each other.
  // read() runs it once every value is known.
  void require(std::function<std::optional<std::string>()> check);

  // Fills the targets. Returns nullopt if the process may go on. Otherwise the process must end with the
  // returned status: 0 after --help or --version, 2 after printing every mistake at once to standard error.
  [[nodiscard]] std::optional<int> read(int argc, const char* const* argv);

 private:
  struct Setting {
    std::string flag;  // empty: environment only
    std::vector<std::string> variables;
    std::string unit;
    std::string help;
    std::string fallback;  // the default, as --help shows it
    bool is_switch = false;
    // Stores the value, or says what is wrong with it.
    std::function<std::optional<std::string>(std::string_view)> store;
  };

  void print_help() const;

  std::string process_;
  std::string purpose_;
  std::vector<Setting> settings_;
  std::vector<std::function<std::optional<std::string>()>> checks_;
};

}  // namespace rocket
