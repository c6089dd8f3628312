#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "rocket/base/log.h"

namespace rocket {

// What the log lines, calls and jobs of one request have in common, so that they can be found together. A
// member is empty if it is not known.
struct RequestIds {
  std::string request_id{};
  std::string key_id{};
  // The W3C traceparent that calls and jobs of the request carry; see traceparent.h. Empty if the request
  // belongs to no trace.
  std::string traceparent{};

  std::string_view trace_id() const;
  // The fields of a log line. Log leaves out those that are not known.
  LogField request_field() const;
  LogField key_field() const;
  LogField trace_field() const;
};

// The ids of one request, for all who work on it. Only the coroutine of the request changes them.
using SharedRequestIds = std::shared_ptr<const RequestIds>;

// For where there may be none.
const RequestIds& ids_or_none(const SharedRequestIds& ids);

}  // namespace rocket
