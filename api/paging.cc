#include "api/paging.h"

#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/parameters.h"

namespace rocket::api {
namespace {

constexpr std::int64_t kMostRows = 100;
constexpr std::size_t kCursorLength = 16;

std::optional<std::int64_t> position_of(const std::string& cursor) {
  const bool is_hex = cursor.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (cursor.size() != kCursorLength || !is_hex) return std::nullopt;
  std::int64_t id = 0;
  const auto parsed = std::from_chars(cursor.data(), cursor.data() + cursor.size(), id, 16);
  if (parsed.ec != std::errc() || id < 1) return std::nullopt;
  return id;
}

// A query is part of the URI, so a mistake in it is one of the request (400) and not of what a body says
// (422).
Failure invalid(std::string error) { return {400, "parameter_invalid", std::move(error), {}}; }

}  // namespace

OrFailure<Page> read_page(std::string_view query) {
  const std::vector<endpoints::Parameter> declared{
      {"limit", endpoints::Integer{1, kMostRows}, false},
      {"cursor", endpoints::Text{0, std::numeric_limits<std::size_t>::max()}, false}};
  auto parsed = Parameters::parse_query(query);
  if (auto* failure = std::get_if<Failure>(&parsed)) return std::move(*failure);
  auto read = std::get<Parameters>(parsed).read(declared);
  if (auto* failure = std::get_if<Failure>(&read)) return invalid(std::move(failure->error));
  const auto& values = std::get<nlohmann::ordered_json>(read);
  Page page;
  page.limit = values.value("limit", page.limit);
  if (const auto cursor = values.find("cursor"); cursor != values.end()) {
    const auto position = position_of(cursor->get<std::string>());
    if (!position) return invalid("The parameter cursor must be the next_cursor of a page of this list.");
    page.before = *position;
  }
  return page;
}

}  // namespace rocket::api
