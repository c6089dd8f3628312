#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocket::api {

// A character of a token (RFC 9110, section 5.6.2).
bool is_token_character(char c);
bool is_token(std::string_view text);

// A character that may stand in the value of a field (RFC 9110, section 5.5).
bool is_field_character(char c);
bool is_field_value(std::string_view text);

// Decodes %XX and "+" (https://url.spec.whatwg.org/#urlencoded-parsing). Returns nullopt if an escape is
// broken.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

// True if a comma-separated list, such as Connection's, holds the word in any case. `word` must be in lower
// case.
bool list_holds(std::string_view list, std::string_view word);

// Finds the fields in the bytes of a head, which may be unchecked and incomplete. Returns the names in lower
// case. Only whole lines count.
std::vector<std::pair<std::string, std::string>> find_fields(std::string_view head);

}  // namespace rocket::api
