#include "api/preferences.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "api/http_text.h"
#include "rocket/base/text.h"

namespace rocket::api {
namespace {

struct Preference {
  std::string_view name;
  // Empty if there is none, which means the same (RFC 7240, section 2).
  std::string value;
};

// Reads the list in one Prefer field from its begin to its end, each byte once.
class PreferenceReader {
 public:
  explicit PreferenceReader(std::string_view field) : rest_(field) {}

  bool at_end() {
    while (!rest_.empty() && (is_space(rest_.front()) || rest_.front() == ',')) rest_.remove_prefix(1);
    return rest_.empty();
  }

  // Returns nullopt if the next member of the list is malformed. Not to be called at the end.
  std::optional<Preference> next() {
    std::optional<Preference> preference = read_parameter();
    // Parameters that belong to the preference. None has a meaning for "wait".
    while (preference && take(';')) {
      skip_spaces();
      const bool is_empty = rest_.empty() || rest_.front() == ';' || rest_.front() == ',';
      if (!is_empty && !read_parameter()) preference = std::nullopt;
    }
    skip_spaces();
    if (preference && (rest_.empty() || rest_.front() == ',')) return preference;
    skip_member();
    return std::nullopt;
  }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\t'; }

  void skip_spaces() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
  }

  // Takes the character, and the spaces before it.
  bool take(char c) {
    skip_spaces();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view take_token() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_token_character);
    const std::string_view token = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(token.size());
    return token;
  }

  // A name, and a value if there is one.
  std::optional<Preference> read_parameter() {
    Preference read{take_token(), {}};
    if (read.name.empty()) return std::nullopt;
    if (!take('=')) return read;
    skip_spaces();
    if (rest_.starts_with('"')) {
      auto quoted = take_quoted();
      if (!quoted) return std::nullopt;
      read.value = std::move(*quoted);
    } else {
      read.value = take_token();
    }
    return read;
  }

  // Returns the text between the quotes, or nullopt if the second quote is missing.
  std::optional<std::string> take_quoted() {
    std::string text;
    rest_.remove_prefix(1);
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return text;
      if (c == '\\') {
        if (rest_.empty()) break;
        c = rest_.front();
        rest_.remove_prefix(1);
      }
      text += c;
    }
    return std::nullopt;
  }

  // Goes to the end of the member. A comma between quotes does not end it.
  void skip_member() {
    while (!rest_.empty() && rest_.front() != ',') {
      if (rest_.front() == '"') {
        take_quoted();
      } else {
        rest_.remove_prefix(1);
      }
    }
  }

  std::string_view rest_;
};

// A number of seconds, of any size.
std::optional<std::chrono::seconds> read_seconds(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  if (text.find_first_not_of(kDigits) != std::string_view::npos) return std::nullopt;
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
  if (text.empty()) return std::nullopt;
  const std::optional<int> seconds = number_of<int>(text);
  return seconds ? std::min(std::chrono::seconds(*seconds), kMaxWait) : kMaxWait;
}

}  // namespace

std::optional<std::chrono::seconds> read_wait_preference(const HttpRequest& request) {
  for (const auto& [name, value] : request.headers) {
    if (name != "prefer") continue;
    for (PreferenceReader reader(value); !reader.at_end();) {
      const auto preference = reader.next();
      if (preference && equal_ignoring_case(preference->name, "wait")) return read_seconds(preference->value);
    }
  }
  return std::nullopt;
}

}  // namespace rocket::api
