#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <variant>

#include "rocket/base/log.h"
#include "simulator/http_client.h"

namespace rocket::simulator {

// Logs once that the api cannot be reached, and once that it can be reached again. Thread safe.
class Reachability {
 public:
  // `log` must outlive this.
  Reachability(std::string url, const Log& log) : url_(std::move(url)), log_(log) {}

  // Must be called with the result of each request.
  void note(const std::variant<HttpAnswer, Silence>& reply);

 private:
  const std::string url_;
  const Log& log_;
  std::mutex mutex_;
  bool away_ = false;
};

}  // namespace rocket::simulator
