#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

// Text as protocols have it. Letters are those of ASCII, whatever the locale.
namespace rocket {

// The number that the whole text is. Returns nullopt if it is none, or one that does not fit.
template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The value of a hexadecimal digit, or nullopt.
std::optional<int> hex_value(char digit);

std::string lower_case(std::string_view text);
bool equal_ignoring_case(std::string_view one, std::string_view other);

// The text as a database can store it: what is not UTF-8 becomes U+FFFD, and NUL becomes a space.
std::string storable(std::string_view text);

// One constant text out of several, with a zero byte behind it. Each part is a string literal or what
// joined() returned, so it is as long as its size but for the zero byte.
template <typename... Parts>
constexpr auto joined(const Parts&... parts) {
  std::array<char, ((sizeof(Parts) - 1) + ...) + 1> whole{};
  auto end = whole.begin();
  ((end = std::copy_n(std::data(parts), sizeof(Parts) - 1, end)), ...);
  return whole;
}

// The text as a terminal can show it: control characters become "?", those of ASCII and those that UTF-8
// writes as C2 80 to C2 9F. They could make the terminal show something else than there is.
std::string printable(std::string_view text);

// Without spaces and tabs around it.
std::string_view trimmed(std::string_view text);

}  // namespace rocket
