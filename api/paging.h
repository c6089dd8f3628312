#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "api/failure.h"

namespace rocket::api {

// Which part of a list, newest first, a client asks for.
struct Page {
  // 1 to 100.
  std::int64_t limit = 20;
  // Only what has a lower id.
  std::int64_t before = std::numeric_limits<std::int64_t>::max();
};

// From the parameters `limit` and `cursor` of a query. A cursor is the `next_cursor` of the page before: the
// id of that page's last row, in hex. Clients are promised only that it works. Failure: 400
// parameter_invalid.
Expected<Page> read_page(std::string_view query);

}  // namespace rocket::api
