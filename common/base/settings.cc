#include "rocket/base/settings.h"

#include <algorithm>
#include <cstdlib>
#include <cxxopts.hpp>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <utility>

#include "rocket/base/text.h"

namespace rocket {
namespace {

std::optional<std::string> store_integer(std::string_view text, std::int64_t least, std::int64_t most,
                                         const std::function<void(std::int64_t)>& set) {
  const auto value = number_of<std::int64_t>(text);
  if (!value) return "is not a whole number";
  if (*value < least || *value > most) {
    return "must be between " + std::to_string(least) + " and " + std::to_string(most);
  }
  set(*value);
  return std::nullopt;
}

std::string display(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string join(const std::vector<std::string>& words, std::string_view separator) {
  std::string joined;
  for (const auto& word : words) {
    if (!joined.empty()) joined += separator;
    joined += word;
  }
  return joined;
}

// Kubernetes sets such a variable in a container for each service. For a service named api it is API_PORT.
bool is_of_a_kubernetes_service(std::string_view variable, std::string_view value) {
  return variable.ends_with("_PORT") &&
         (value.starts_with("tcp://") || value.starts_with("udp://") || value.starts_with("sctp://"));
}

// The first variable of the list that is set and not empty, with its name.
std::optional<std::pair<std::string, std::string>> from_environment(const std::vector<std::string>& variables,
                                                                    std::vector<std::string>& warnings) {
  for (const auto& name : variables) {
    // Read before any thread starts.
    const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
    if (value == nullptr || *value == '\0') continue;
    if (!is_of_a_kubernetes_service(name, value)) return std::pair(name, std::string(value));
    warnings.push_back(name + " is ignored: it looks like the address that Kubernetes gives for a service");
  }
  return std::nullopt;
}

}  // namespace

Settings::Settings(std::string process, std::string purpose)
    : process_(std::move(process)), purpose_(std::move(purpose)) {}

void Settings::add(std::string flag, std::vector<std::string> variables, std::string unit, std::string help,
                   std::int64_t& target, std::int64_t least, std::int64_t most) {
  settings_.push_back({std::move(flag), std::move(variables), std::move(unit), std::move(help),
                       std::to_string(target), false, [&target, least, most](std::string_view text) {
                         return store_integer(text, least, most, [&](std::int64_t v) { target = v; });
                       }});
}

void Settings::add(std::string flag, std::vector<std::string> variables, std::string help,
                   std::chrono::seconds& target, std::chrono::seconds least, std::chrono::seconds most) {
  settings_.push_back({std::move(flag), std::move(variables), "s", std::move(help),
                       std::to_string(target.count()), false, [&target, least, most](std::string_view text) {
                         return store_integer(text, least.count(), most.count(),
                                              [&](std::int64_t v) { target = std::chrono::seconds(v); });
                       }});
}

void Settings::add(std::string flag, std::vector<std::string> variables, std::string help,
                   std::chrono::milliseconds& target, std::chrono::milliseconds least,
                   std::chrono::milliseconds most) {
  settings_.push_back({std::move(flag), std::move(variables), "ms", std::move(help),
                       std::to_string(target.count()), false, [&target, least, most](std::string_view text) {
                         return store_integer(text, least.count(), most.count(),
                                              [&](std::int64_t v) { target = std::chrono::milliseconds(v); });
                       }});
}

void Settings::add(std::string flag, std::vector<std::string> variables, std::string unit, std::string help,
                   double& target, double least, double most) {
  auto store = [&target, least, most](std::string_view text) -> std::optional<std::string> {
    const auto value = number_of<double>(text);
    if (!value) return "is not a number";
    // Written so that NaN fails too.
    if (!(*value >= least && *value <= most)) {
      return "must be between " + display(least) + " and " + display(most);
    }
    target = *value;
    return std::nullopt;
  };
  settings_.push_back({std::move(flag), std::move(variables), std::move(unit), std::move(help),
                       display(target), false, std::move(store)});
}

void Settings::add(std::string flag, std::vector<std::string> variables, std::string help,
                   std::string& target, std::vector<std::string> allowed) {
  const std::string unit = allowed.empty() ? "text" : join(allowed, "|");
  auto store = [&target, allowed = std::move(allowed)](std::string_view text) -> std::optional<std::string> {
    if (text.empty()) return "is empty";
    if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
      return "must be one of " + join(allowed, ", ");
    }
    target = text;
    return std::nullopt;
  };
  settings_.push_back(
      {std::move(flag), std::move(variables), unit, std::move(help), target, false, std::move(store)});
}

void Settings::add(std::string flag, std::vector<std::string> variables, std::string help, bool& target) {
  auto store = [&target](std::string_view text) -> std::optional<std::string> {
    const bool on = text == "1" || text == "true" || text == "on" || text == "yes";
    const bool off = text == "0" || text == "false" || text == "off" || text == "no";
    if (!on && !off) return "must be on or off";
    target = on;
    return std::nullopt;
  };
  settings_.push_back({std::move(flag), std::move(variables), "on|off", std::move(help),
                       target ? "on" : "off", true, std::move(store)});
}

void Settings::add_secret(std::vector<std::string> variables, std::string help, std::string& target) {
  settings_.push_back({"", std::move(variables), "text", std::move(help), "", false,
                       [&target](std::string_view text) -> std::optional<std::string> {
                         target = text;
                         return std::nullopt;
                       }});
}

void Settings::require(std::function<std::optional<std::string>()> check) {
  checks_.push_back(std::move(check));
}

std::optional<int> Settings::read(int argc, const char* const* argv) {
  std::vector<std::string> mistakes;
  std::vector<std::string> warnings;
  cxxopts::Options options(process_);
  options.allow_unrecognised_options();
  options.add_options()("help", "")("version", "");
  for (const auto& setting : settings_) {
    if (setting.flag.empty()) continue;
    auto value = cxxopts::value<std::vector<std::string>>();
    if (setting.is_switch) value->implicit_value("on");
    options.add_options()(setting.flag, "", value);
  }

  std::optional<cxxopts::ParseResult> parsed;
  try {
    parsed = options.parse(argc, argv);
  } catch (const cxxopts::exceptions::exception& error) {
    mistakes.emplace_back(error.what());
  }
  if (parsed && parsed->count("help") > 0) {
    print_help();
    return 0;
  }
  if (parsed && parsed->count("version") > 0) {
    std::cout << process_ << ' ' << ROCKET_VERSION << '\n';
    return 0;
  }
  if (parsed) {
    for (const auto& unknown : parsed->unmatched()) mistakes.push_back(unknown + " is not known");
  }

  for (auto& setting : settings_) {
    std::string name;
    std::string value;
    if (parsed && !setting.flag.empty() && parsed->count(setting.flag) > 0) {
      name = "--" + setting.flag;
      if (parsed->count(setting.flag) > 1) {
        mistakes.push_back(name + " is given more than once");
        continue;
      }
      // cxxopts splits lists at commas; our values may hold commas.
      value = join((*parsed)[setting.flag].as<std::vector<std::string>>(), ",");
    } else if (auto variable = from_environment(setting.variables, warnings)) {
      std::tie(name, value) = *variable;
    } else {
      continue;
    }
    if (auto mistake = setting.store(value)) mistakes.push_back(name + " " + *mistake);
  }
  for (const auto& check : checks_) {
    if (auto mistake = check()) mistakes.push_back(*mistake);
  }
  for (const auto& warning : warnings) std::cerr << process_ << ": " << warning << '\n';
  if (mistakes.empty()) return std::nullopt;

  for (const auto& mistake : mistakes) std::cerr << process_ << ": " << mistake << '\n';
  std::cerr << process_ << ": see " << process_ << " --help\n";
  return 2;
}

void Settings::print_help() const {
  std::cout << process_ << ": " << purpose_ << "\n\n"
            << "Each flag overrides its environment variable.\n\n";
  for (const auto& setting : settings_) {
    const std::string flag = setting.flag.empty() ? "(environment only)" : "--" + setting.flag;
    std::cout << "  " << std::left << std::setw(30) << flag << join(setting.variables, ", else ") << '\n'
              << "      " << setting.help << " [" << setting.unit << ']';
    if (!setting.fallback.empty()) std::cout << ", default " << setting.fallback;
    std::cout << '\n';
  }
  std::cout << "  --help, --version\n";
}

}  // namespace rocket
