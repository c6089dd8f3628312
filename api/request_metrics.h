#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.h"
#include "rocket/metrics/registry.h"

namespace rocket::api {

// The series of one route. A request is counted without a look-up of labels. Thread safe.
class RouteMetrics {
 public:
  // Counts an answer of this route. `duration` is nullopt if the client asked to wait: then it tells nothing.
  void note(const HttpRequest& request, const HttpResponse& response,
            std::optional<std::chrono::nanoseconds> duration);

 private:
  friend class RequestMetrics;

  // The methods that have series of their own. The last one stands for all others.
  static constexpr std::array<std::string_view, 8> kMethods{"GET",   "HEAD",   "POST",    "PUT",
                                                            "PATCH", "DELETE", "OPTIONS", "other"};
  // From 2xx to 5xx.
  static constexpr std::size_t kClasses = 4;

  std::string path_;
  // Null where the route has no such method.
  std::array<std::array<prometheus::Counter*, kClasses>, kMethods.size()> requests_{};
  metrics::Histogram* durations_ = nullptr;
  // Null for a route that has no replays.
  prometheus::Counter* replays_ = nullptr;
};

// The metrics of HTTP requests. All series exist once the routes are known, and what a client sends makes no
// new ones. Thread safe once all routes are added.
class RequestMetrics {
 public:
  // The registry must outlive this.
  explicit RequestMetrics(metrics::Registry& registry);
  ~RequestMetrics() = default;
  RequestMetrics(const RequestMetrics&) = delete;
  RequestMetrics& operator=(const RequestMetrics&) = delete;

  // Adds the series of a route. Several routes may have one path. `path` is the declared pattern, such as
  // "/rides/{ride_id}". The result lives as long as this object.
  RouteMetrics& add_route(const std::string& method, const std::string& path, bool has_replays);
  // Requests that belong to no route: the path is unknown, or does not know the method.
  RouteMetrics& unknown() { return *unknown_; }

  // What the requests of clients come to since the start, without those of operators and checks. It reads
  // each series, so it is for people who look and not for each request.
  struct Totals {
    // By class, from 2xx to 5xx.
    std::array<double, RouteMetrics::kClasses> answers{};
    // Seconds; and how many answers took at most so long. The last count has no bound: it is all answers.
    std::vector<double> bounds{};
    std::vector<std::uint64_t> counts{};
  };
  Totals totals() const;

  // Counts a request that was refused, by the code of its failure. Codes that mean anything else, such as
  // that the request is wrong, are not counted.
  void note_refusal(std::string_view code);
  // Counts the answer to bytes that are no request.
  void note_no_request(const HttpResponse& response);

 private:
  std::unique_ptr<RouteMetrics> make(const std::string& path, const std::vector<std::size_t>& methods);

  prometheus::Family<prometheus::Counter>& requests_;
  metrics::HistogramFamily& durations_;
  prometheus::Family<prometheus::Counter>& replays_;
  std::vector<std::unique_ptr<RouteMetrics>> routes_;
  std::unique_ptr<RouteMetrics> unknown_;
  std::map<std::string_view, prometheus::Counter*> refusals_;
};

}  // namespace rocket::api
