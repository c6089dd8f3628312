#pragma once

#include <optional>
#include <string>
#include <string_view>

// The header traceparent of W3C Trace Context, level 2 (https://www.w3.org/TR/trace-context-2/). It says
// which trace a request belongs to, and which operation of that trace has sent it.
namespace rocket {

// Returns what a participant sends on who has received this value: the same trace, a new random id for its
// own operation, and the flags that it knows. A value of a newer version is read as far as version 00 goes.
// Returns nullopt if the value is not valid; then it counts as none. Throws std::system_error when the kernel
// has no entropy to give.
std::optional<std::string> continued_traceparent(std::string_view received);

// The trace id of a value that the function above has returned; empty for the empty text.
std::string_view trace_id_of(std::string_view traceparent);

}  // namespace rocket
