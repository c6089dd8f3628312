#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "spec/support/child_process.h"

namespace rocket::spec {

// A Prometheus with the configuration and the alerts of docs/monitoring. It listens on a free port of
// 127.0.0.1 and has its own folder for its data.
//
// Its time passes faster: every duration in these files (intervals, "for", and the ranges of rates) is
// divided by kTimesFaster. So an alert with "for: 5m" fires after 15 seconds. Thresholds stay as they are,
// also those in seconds; age rows of the database to exceed them.
class PrometheusServer {
 public:
  static constexpr int kTimesFaster = 20;

  // The ports of the metrics by job, such as "rocket-api"; all jobs of prometheus.yml must be there. Returns
  // when the server has scraped each of them. Throws std::runtime_error.
  explicit PrometheusServer(const std::map<std::string, std::uint16_t>& ports);
  ~PrometheusServer();
  PrometheusServer(const PrometheusServer&) = delete;
  PrometheusServer& operator=(const PrometheusServer&) = delete;

  // How many samples an expression has now, not counting those that are no number (NaN). Throws
  // std::runtime_error if Prometheus does not accept the expression.
  std::size_t count(const std::string& expression) const;
  // The names of the alerts that fire now.
  std::set<std::string> firing() const;
  // `labels` are further ones, such as "job=\"rocket-api\"".
  bool fires(const std::string& alert, const std::string& labels = {}) const;

  struct Rule {
    std::string alert;
    std::string expression;
  };
  std::vector<Rule> rules() const;

 private:
  bool try_to_start();
  nlohmann::json ask(const std::string& path, const std::string& query = {}) const;
  nlohmann::json samples(const std::string& expression) const;

  std::filesystem::path directory_;
  std::uint16_t port_ = 0;
  std::optional<ChildProcess> process_;
};

}  // namespace rocket::spec
