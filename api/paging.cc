#include "api/paging.h"

#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/parameters.h"

namespace rocket::api {
namespace {

constexpr std::int64_t kMaxRows = 100;
constexpr std::size_t kCursorLength = 16;

std::optional<std::int64_t> position_of(const std::string& cursor) {
  const bool is_hex = cursor.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (cursor.size() != kCursorLength || !is_hex) return std::nullopt;
  std::int64_t id = 0;
  const auto parsed = std::from_chars(cursor.data(), cursor.data() + cursor.size(), id, 16);
  if (parsed.ec != std::errc() || id < 1) return std::nullopt;
  return id;
}

// A query is part of the URI. So a mistake in it is a mistake in the request (400), not in the content of a
// body (422).
Unexpected invalid(std::string error) {
  return Unexpected(Failure{400, "parameter_invalid", std::move(error), {}});
}

}  // namespace

Expected<Page> read_page(std::string_view query) {
  const std::vector<endpoints::Parameter> declared{
      {"limit", endpoints::Integer{1, kMaxRows}, false},
      {"cursor", endpoints::Text{0, std::numeric_limits<std::size_t>::max()}, false}};
  auto parsed = Parameters::parse_query(query);
  if (!parsed) return Unexpected(std::move(parsed.error()));
  auto values = parsed->read(declared);
  if (!values) return invalid(std::move(values.error().error));
  Page page;
  page.limit = values->value("limit", page.limit);
  if (const auto cursor = values->find("cursor"); cursor != values->end()) {
    const auto position = position_of(cursor->get<std::string>());
    if (!position) return invalid("The parameter cursor must be the next_cursor of a page of this list.");
    page.before = *position;
  }
  return page;
}

}  // namespace rocket::api
