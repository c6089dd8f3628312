#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "spec/support/child_process.h"

namespace rocket::spec {

// A port of 127.0.0.1 that nothing listens on at this moment.
std::uint16_t free_port();

// The environment with metrics on this port.
Environment with_metrics(Environment environment, std::uint16_t port);

// What a process shows at /metrics. Throws std::runtime_error when there is nothing.
class Scrape {
 public:
  explicit Scrape(std::uint16_t port);

  // `series` is as the text has it, with its labels in the order of their names:
  // rocket_http_requests_total{method="POST",route="/rides",status="2xx"}
  std::optional<double> value(const std::string& series) const;
  // The names of all series with their labels.
  const std::set<std::string>& series() const { return series_; }
  // The names of all families.
  const std::set<std::string>& families() const { return families_; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::set<std::string> series_;
  std::set<std::string> families_;
};

// Waits until the process shows this value. Returns what it shows in the end.
std::optional<double> eventual_value(std::uint16_t port, const std::string& series, double wanted,
                                     std::chrono::milliseconds limit = std::chrono::seconds(15));

}  // namespace rocket::spec
