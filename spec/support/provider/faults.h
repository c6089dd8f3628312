#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>

#include "spec/support/provider/http.h"

namespace rocket::spec::provider {

// Something that goes wrong with one call.
struct Fault {
  // silence: never answers. reset: the connection breaks. status: an error with `status`. garbage: bytes that
  // are not HTTP. page: a proxy's page with status 200. cut: half of the answer. twice: the answer twice.
  // other: the answer to another client's call. slow: the right answer after the delay.
  std::string kind;
  // Whether the call has its effect in spite of the fault.
  bool charged = false;
  // Whether repetitions of the call get the faulty answer too.
  bool stored = false;
  int status = 500;
  // The error's type, as Stripe's API names it.
  std::string type = "api_error";
  std::chrono::milliseconds delay{0};
  std::string retry_after;
  std::string should_retry;
};

// The faults of the next calls.
class Faults {
 public:
  // The fields are kind, charged, stored, status, type, delay (ms), retry_after, should_retry and times.
  // Throws std::invalid_argument.
  void plan(const Fields& fields);
  // The fault of the next call; nullopt if it has none.
  std::optional<Fault> next();
  void clear() { planned_.clear(); }

 private:
  std::deque<Fault> planned_;
};

}  // namespace rocket::spec::provider
