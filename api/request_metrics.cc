#include "api/request_metrics.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

namespace rocket::api {
namespace {

constexpr std::size_t kGet = 0;
constexpr std::size_t kHead = 1;

constexpr std::array<const char*, 4> kClassLabels{"2xx", "3xx", "4xx", "5xx"};

struct Reason {
  // The code of the failure.
  std::string_view code;
  const char* label;
};

// Why a request is refused that might have been answered, or that is none.
constexpr std::array kReasons{
    Reason{"overloaded", "overloaded"},
    Reason{"stopping", "stopping"},
    Reason{"misdirected_request", "foreign_host"},
    Reason{"too_many_requests", "too_many_requests"},
    Reason{"rate_limited", "rate_limited"},
    Reason{"too_many_failed_credentials", "too_many_failed_credentials"},
    Reason{"too_many_declines", "too_many_declines"},
    Reason{"too_many_unfinished_keys", "too_many_unfinished_keys"},
    Reason{"too_many_keys", "too_many_keys"},
    Reason{"request_malformed", "request_malformed"},
    Reason{"request_timeout", "request_timeout"},
    Reason{"headers_too_large", "headers_too_large"},
    Reason{"body_too_large", "body_too_large"},
    Reason{"uri_too_long", "uri_too_long"},
    Reason{"http_version_not_supported", "http_version_not_supported"},
    Reason{"expectation_failed", "expectation_failed"},
};

std::size_t class_of(int status) { return static_cast<std::size_t>(std::clamp(status / 100, 2, 5) - 2); }

bool is_for_clients(std::string_view path) {
  constexpr std::array<std::string_view, 4> kOthers{"/ops/", "/lab/", "/healthz", "/readyz"};
  return std::none_of(kOthers.begin(), kOthers.end(),
                      [&](std::string_view each) { return path.starts_with(each); });
}

bool is_replay(const HttpResponse& response) {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [](const auto& field) { return field.first == "Idempotent-Replayed"; });
}

}  // namespace

void RouteMetrics::note(const HttpRequest& request, const HttpResponse& response,
                        std::optional<std::chrono::nanoseconds> duration) {
  const auto method = static_cast<std::size_t>(
      std::find(kMethods.begin(), kMethods.end() - 1, request.method) - kMethods.begin());
  // A route answers no other methods than its own.
  if (prometheus::Counter* counter = requests_.at(method).at(class_of(response.status))) counter->Increment();
  if (duration) durations_->observe(std::chrono::duration<double>(*duration).count());
  if (replays_ != nullptr && is_replay(response)) replays_->Increment();
}

RequestMetrics::RequestMetrics(metrics::Registry& registry)
    : requests_(registry.counters("rocket_http_requests_total",
                                  "Answers, by the declared route, the method and the class of the status.")),
      durations_(registry.histograms("rocket_http_request_duration_seconds",
                                     "From the last byte of a request until its answer is ready, in "
                                     "seconds.")),
      replays_(registry.counters("rocket_http_replays_total",
                                 "Answers that were stored by an earlier request with the same key.")) {
  std::vector<std::size_t> every(RouteMetrics::kMethods.size());
  std::iota(every.begin(), every.end(), std::size_t{0});
  unknown_ = make("unknown", every);
  auto& refusals = registry.counters("rocket_http_requests_refused_total",
                                     "Requests that were refused without being worked on, by the reason.");
  for (const Reason& reason : kReasons) {
    refusals_.emplace(reason.code, &refusals.Add({{"reason", reason.label}}));
  }
}

RouteMetrics& RequestMetrics::add_route(const std::string& method, const std::string& path,
                                        bool has_replays) {
  std::vector<std::size_t> methods;
  for (std::size_t i = 0; i < RouteMetrics::kMethods.size(); ++i) {
    if (RouteMetrics::kMethods.at(i) == method) methods.push_back(i);
  }
  if (methods == std::vector{kGet}) methods.push_back(kHead);
  routes_.push_back(make(path, methods));
  if (has_replays) routes_.back()->replays_ = &replays_.Add({{"route", path}});
  return *routes_.back();
}

std::unique_ptr<RouteMetrics> RequestMetrics::make(const std::string& path,
                                                   const std::vector<std::size_t>& methods) {
  auto route = std::make_unique<RouteMetrics>();
  route->path_ = path;
  for (const std::size_t method : methods) {
    for (std::size_t each = 0; each < RouteMetrics::kClasses; ++each) {
      route->requests_.at(method).at(each) =
          &requests_.Add({{"route", path},
                          {"method", std::string(RouteMetrics::kMethods.at(method))},
                          {"status", kClassLabels.at(each)}});
    }
  }
  route->durations_ = &durations_.add({{"route", path}}, metrics::latency_buckets());
  return route;
}

RequestMetrics::Totals RequestMetrics::totals() const {
  Totals totals;
  totals.bounds = metrics::latency_buckets();
  totals.counts.resize(totals.bounds.size() + 1);
  // Routes of one path share a histogram.
  std::set<const metrics::Histogram*> seen;
  for (const auto& route : routes_) {
    if (!is_for_clients(route->path_)) continue;
    for (const auto& counters : route->requests_) {
      for (std::size_t each = 0; each < counters.size(); ++each) {
        if (counters.at(each) != nullptr) totals.answers.at(each) += counters.at(each)->Value();
      }
    }
    if (!seen.insert(route->durations_).second) continue;
    const prometheus::ClientMetric::Histogram durations = route->durations_->collect();
    for (std::size_t i = 0; i < totals.counts.size(); ++i) {
      totals.counts[i] += durations.bucket.at(i).cumulative_count;
    }
  }
  return totals;
}

void RequestMetrics::note_refusal(std::string_view code) {
  if (const auto found = refusals_.find(code); found != refusals_.end()) found->second->Increment();
}

void RequestMetrics::note_no_request(const HttpResponse& response) {
  unknown_->requests_.back().at(class_of(response.status))->Increment();
  note_refusal(response.code);
}

}  // namespace rocket::api
