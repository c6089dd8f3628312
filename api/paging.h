#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "api/failure.h"

namespace rocket::api {

// The part of a list that a client asks for. The list begins with the newest row.
struct Page {
  // 1 to 100.
  std::int64_t limit = 20;
  // Only rows with a lower id.
  std::int64_t before = std::numeric_limits<std::int64_t>::max();
};

// Reads the parameters `limit` and `cursor` of a query. A cursor is the `next_cursor` of the page before: the
// id of that page's last row, in hex. Clients are promised only that it works, not what it means. Failure:
// 400 parameter_invalid.
Expected<Page> read_page(std::string_view query);

}  // namespace rocket::api
