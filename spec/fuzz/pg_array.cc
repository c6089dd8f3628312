#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rocket/pg/query.h"
#include "spec/fuzz/property.h"

// Property: PostgreSQL reads the arrays of a set of rows as the same values in the same rows and columns. No
// value moves to another row or becomes a NULL.
//
// The input is the number of columns (a digit from 1 to 8), and then values with a "|" between them. "~" is a
// NULL. Values hold no NUL byte, because libpq sends C strings.
namespace rocket::fuzz {
namespace {

constexpr pg::SetStatement kStatement{"set", "SELECT"};

bool is_space(char c) { return std::string_view(" \t\n\v\f\r").find(c) != std::string_view::npos; }

// Reads the text of an array of one dimension as PostgreSQL does (array_in). Returns nullopt if PostgreSQL
// would refuse it.
class ArrayReader {
 public:
  explicit ArrayReader(std::string_view text) : text_(text) {}

  std::optional<pg::Params> read() {
    pg::Params values;
    skip_space();
    if (!take('{')) return std::nullopt;
    do {
      if (!read_value(values)) return std::nullopt;
    } while (take(','));
    if (!take('}')) return std::nullopt;
    skip_space();
    return text_.empty() ? std::optional(values) : std::nullopt;
  }

 private:
  bool take(char expected) {
    if (!text_.starts_with(expected)) return false;
    text_.remove_prefix(1);
    return true;
  }

  void skip_space() {
    while (!text_.empty() && is_space(text_.front())) text_.remove_prefix(1);
  }

  bool read_value(pg::Params& values) {
    skip_space();
    const bool quoted = take('"');
    std::string value;
    std::size_t size_without_space = 0;
    while (!text_.empty() && text_.front() != '"' &&
           (quoted || std::string_view("{},").find(text_.front()) == std::string_view::npos)) {
      const bool escaped = take('\\');
      if (text_.empty()) return false;
      value += text_.front();
      if (escaped || !is_space(text_.front())) size_without_space = value.size();
      text_.remove_prefix(1);
    }
    if (quoted) {
      if (!take('"')) return false;
      skip_space();
      values.emplace_back(value);
      return true;
    }
    value.resize(size_without_space);
    if (value.empty()) return false;
    const bool is_null = value.size() == 4 && std::equal(value.begin(), value.end(), "NULL",
                                                         [](char a, char b) { return (a & ~0x20) == b; });
    values.push_back(is_null ? std::nullopt : std::optional(value));
    return true;
  }

  std::string_view text_;
};

void quote(std::string_view input) {
  if (input.empty() || input.find('\0') != std::string_view::npos) return;
  const std::size_t columns = (static_cast<unsigned char>(input.front()) - 1U) % 8 + 1;
  input.remove_prefix(1);

  std::vector<pg::Query> rows;
  do {
    pg::Params row(columns);
    for (auto& value : row) {
      const std::string_view text = input.substr(0, input.find('|'));
      input.remove_prefix(std::min(input.size(), text.size() + 1));
      if (text != "~") value = text;
    }
    rows.emplace_back(kStatement, std::move(row));
  } while (!input.empty());
  std::vector<const pg::Query*> addresses;
  for (const auto& row : rows) addresses.push_back(&row);

  const pg::Query set = pg::as_set(addresses);
  must(set.statement == &kStatement && set.params.size() == columns, "a set has an array for each column");
  for (std::size_t column = 0; column < columns; ++column) {
    must(set.params[column].has_value(), "an array is no NULL");
    const auto values = ArrayReader(*set.params[column]).read();
    must(values && values->size() == rows.size(), "an array has a value for each row");
    for (std::size_t row = 0; row < rows.size(); ++row) {
      must((*values)[row] == rows[row].params[column], "a value is what it was");
    }
  }
}

}  // namespace
}  // namespace rocket::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocket::fuzz::quote(rocket::fuzz::text_of(data, size));
  return 0;
}
