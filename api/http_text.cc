#include "api/http_text.h"

#include <algorithm>

#include "rocket/base/text.h"

namespace rocket::api {

bool is_token_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character);
}

bool is_field_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_field_character);
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      plain += ' ';
    } else if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const std::optional<int> high = hex_value(text[i + 1]);
      const std::optional<int> low = hex_value(text[i + 2]);
      if (!high || !low) return std::nullopt;
      plain += static_cast<char>(*high * 16 + *low);
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool list_holds(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (lower_case(trimmed(list.substr(0, comma))) == word) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

std::vector<std::pair<std::string, std::string>> find_fields(std::string_view head) {
  constexpr std::string_view kLineEnd = "\r\n";
  std::vector<std::pair<std::string, std::string>> fields;
  for (auto end = head.find(kLineEnd); end != std::string_view::npos; end = head.find(kLineEnd)) {
    head.remove_prefix(end + kLineEnd.size());
    const std::string_view line = head.substr(0, head.find(kLineEnd));
    // The rest is a part of a line, or the body.
    if (line.empty() || line.size() == head.size()) break;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    fields.emplace_back(lower_case(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
  }
  return fields;
}

}  // namespace rocket::api
