#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>

#include "spec/support/provider/http.h"

namespace rocket::spec::provider {

// Something that goes wrong with one call.
struct Fault {
  // silence: no answer ever. reset: the connection breaks. status: this status, with an error. garbage:
  // something that is not HTTP. page: a proxy's page, with 200. cut: half an answer. twice: the answer twice.
  // other: the answer to somebody else's call. slow: nothing but the delay.
  std::string kind;
  // Whether the call has its effect nevertheless.
  bool charged = false;
  // Whether the faulty answer is what repetitions get too.
  bool stored = false;
  int status = 500;
  // Of the error, in the provider's terms.
  std::string type = "api_error";
  std::chrono::milliseconds delay{0};
  std::string retry_after;
  std::string should_retry;
};

// The faults of the next calls.
class Faults {
 public:
  // kind, charged, stored, status, type, delay (ms), retry_after, should_retry, times. Throws
  // std::invalid_argument.
  void plan(const Fields& fields);
  // Of the next call; nothing when all is well.
  std::optional<Fault> next();
  void clear() { planned_.clear(); }

 private:
  std::deque<Fault> planned_;
};

}  // namespace rocket::spec::provider
