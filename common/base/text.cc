#include "rocket/base/text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace rocket {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::optional<int> hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  const char letter = lower(digit);
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  return std::nullopt;
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
}

bool equal_ignoring_case(std::string_view one, std::string_view other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

std::string storable(std::string_view text) {
  using Json = nlohmann::json;
  const std::string replaced = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string result = Json::parse(replaced).get<std::string>();
  std::replace(result.begin(), result.end(), '\0', ' ');
  return result;
}

std::string printable(std::string_view text) {
  std::string shown = storable(text);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const auto byte = static_cast<unsigned char>(shown[i]);
    const bool is_c1 =
        byte == 0xc2 && i + 1 < shown.size() && static_cast<unsigned char>(shown[i + 1]) < 0xa0;
    if (is_c1) shown.replace(i, 2, "?");
    if (byte < ' ' || byte == 0x7f) shown[i] = '?';
  }
  return shown;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace rocket
