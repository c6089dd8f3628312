#include "api/proxy_header.h"

#include <array>
#include <cstdint>

#include "rocket/base/text.h"

namespace rocket::api {
namespace {

using Result = ProxyHeader::Result;

constexpr std::string_view kText = "PROXY ";
// Includes the line end.
constexpr std::size_t kMaxTextBytes = 107;
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
// Signature, version and command, family and protocol, length of the rest.
constexpr std::size_t kBinaryStart = 16;

std::uint8_t byte_at(std::string_view bytes, std::size_t place) {
  return static_cast<std::uint8_t>(bytes[place]);
}

bool may_begin_with(std::string_view bytes, std::string_view expected) {
  return expected.starts_with(bytes.substr(0, expected.size()));
}

bool is_port(std::string_view text) {
  return number_of<std::uint16_t>(text) && (text.size() == 1 || text.front() != '0');
}

std::optional<IpAddress> address_of(std::string_view text, bool is_ipv6) {
  const bool looks_like_ipv6 = text.find(':') != std::string_view::npos;
  return looks_like_ipv6 == is_ipv6 ? IpAddress::parse(text) : std::nullopt;
}

// PROXY TCP4 192.0.2.1 192.0.2.2 56324 443
Result read_text(std::string_view bytes) {
  const auto end = bytes.substr(0, kMaxTextBytes).find("\r\n");
  if (end == std::string_view::npos) {
    if (bytes.size() >= kMaxTextBytes) return ProxyHeader::Malformed{};
    return ProxyHeader::NeedsMore{};
  }
  std::string_view line = bytes.substr(kText.size(), end - kText.size());
  // Another reader might take a single CR or LF for the end of the line.
  if (line.find_first_of("\r\n") != std::string_view::npos) return ProxyHeader::Malformed{};
  const std::size_t size = end + 2;
  const auto next_word = [&line] {
    const auto space = line.find(' ');
    const std::string_view word = line.substr(0, space);
    line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
    return word;
  };
  const std::string_view kind = next_word();
  if (kind == "UNKNOWN") return ProxyHeader{std::nullopt, size};
  if (kind != "TCP4" && kind != "TCP6") return ProxyHeader::Malformed{};
  const bool is_ipv6 = kind == "TCP6";
  const auto source = address_of(next_word(), is_ipv6);
  const auto destination = address_of(next_word(), is_ipv6);
  const bool source_port = is_port(next_word());
  // Nothing may follow the last word, not even a space.
  if (!source || !destination || !source_port || !is_port(line)) return ProxyHeader::Malformed{};
  return ProxyHeader{source, size};
}

Result read_binary(std::string_view bytes) {
  if (bytes.size() > kSignature.size()) {
    const unsigned version = byte_at(bytes, 12) >> 4U;
    const unsigned command = byte_at(bytes, 12) & 15U;
    if (version != 2 || command > 1) return ProxyHeader::Malformed{};
  }
  if (bytes.size() < kBinaryStart) return ProxyHeader::NeedsMore{};
  const bool is_local = (byte_at(bytes, 12) & 15U) == 0;
  const unsigned family = byte_at(bytes, 13) >> 4U;
  const unsigned protocol = byte_at(bytes, 13) & 15U;
  const std::size_t length = byte_at(bytes, 14) * std::size_t{256} + byte_at(bytes, 15);
  const std::size_t size = kBinaryStart + length;
  if (size > ProxyHeader::kMaxBytes) return ProxyHeader::Malformed{};
  // Families: unspecified, IPv4, IPv6, Unix. Protocols: unspecified, stream, datagram.
  if (!is_local && (family > 3 || protocol > 2)) return ProxyHeader::Malformed{};
  const bool has_address = !is_local && protocol == 1 && (family == 1 || family == 2);
  // Needs the source and the destination, with a port for each.
  const std::size_t address_size = family == 1 ? 4 : 16;
  if (has_address && length < 2 * address_size + 4) return ProxyHeader::Malformed{};
  if (bytes.size() < size) return ProxyHeader::NeedsMore{};
  if (!has_address) return ProxyHeader{std::nullopt, size};
  return ProxyHeader{IpAddress::of_bytes(bytes.substr(kBinaryStart, address_size)), size};
}

}  // namespace

ProxyHeader::Result ProxyHeader::read(std::string_view bytes) {
  if (bytes.empty()) return NeedsMore{};
  if (may_begin_with(bytes, kText)) return bytes.size() < kText.size() ? NeedsMore{} : read_text(bytes);
  if (may_begin_with(bytes, kSignature)) return read_binary(bytes);
  return Malformed{};
}

}  // namespace rocket::api
