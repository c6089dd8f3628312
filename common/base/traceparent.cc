#include "rocket/base/traceparent.h"

#include <cstddef>

#include "rocket/base/ids.h"
#include "rocket/base/text.h"

namespace rocket {
namespace {

// version "-" trace-id "-" parent-id "-" flags
constexpr std::size_t kLength = 55;
constexpr std::size_t kTraceAt = 3;
constexpr std::size_t kTraceLength = 32;
constexpr std::size_t kParentAt = 36;
constexpr std::size_t kParentLength = 16;
constexpr std::size_t kFlagsAt = 53;
// "sampled" and "random trace id". All other flags must be sent as 0.
constexpr int kKnownFlags = 0x03;
constexpr std::string_view kHexDigits = "0123456789abcdef";

bool is_hex(std::string_view text) { return text.find_first_not_of(kHexDigits) == std::string_view::npos; }
bool is_zero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }
bool is_id(std::string_view text) { return is_hex(text) && !is_zero(text); }

bool is_valid(std::string_view text) {
  if (text.size() < kLength) return false;
  const std::string_view version = text.substr(0, 2);
  if (!is_hex(version) || version == "ff") return false;
  if (text.size() > kLength && (version == "00" || text[kLength] != '-')) return false;
  return text[kTraceAt - 1] == '-' && text[kParentAt - 1] == '-' && text[kFlagsAt - 1] == '-' &&
         is_id(text.substr(kTraceAt, kTraceLength)) && is_id(text.substr(kParentAt, kParentLength)) &&
         is_hex(text.substr(kFlagsAt, 2));
}

std::string random_id() {
  std::string id;
  while (is_zero(id)) {
    id.clear();
    const auto bytes = random_bytes();
    for (std::size_t i = 0; i < kParentLength / 2; ++i) {
      id += kHexDigits[bytes[i] >> 4U];
      id += kHexDigits[bytes[i] & 0x0fU];
    }
  }
  return id;
}

}  // namespace

std::optional<std::string> continued_traceparent(std::string_view received) {
  if (!is_valid(received)) return std::nullopt;
  const int low_flags = *hex_value(received[kFlagsAt + 1]) & kKnownFlags;
  std::string sent = "00-";
  sent.append(received.substr(kTraceAt, kTraceLength)).append("-").append(random_id());
  sent.append("-0").append(1, kHexDigits[static_cast<std::size_t>(low_flags)]);
  return sent;
}

std::string_view trace_id_of(std::string_view traceparent) {
  return traceparent.empty() ? traceparent : traceparent.substr(kTraceAt, kTraceLength);
}

}  // namespace rocket
