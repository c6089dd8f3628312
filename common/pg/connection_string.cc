#include "pg/connection_string.h"

#include <libpq-fe.h>

#include <cstddef>
#include <memory>
#include <string_view>

#include "pg/errors.h"

namespace rocket::pg {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts(1);
  for (const char character : list) {
    if (character == ',') {
      parts.emplace_back();
    } else {
      parts.back() += character;
    }
  }
  return parts;
}

}  // namespace

std::optional<std::string> url_mistake(const std::string& url) {
  char* complaint = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> parsed(PQconninfoParse(url.c_str(), &complaint));
  const std::unique_ptr<char, decltype(&PQfreemem)> owned(complaint, &PQfreemem);
  if (parsed) {
    // libpq looks at ports only when it connects, and we would wait for ever for a server that cannot be.
    for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
      if (std::string_view(option->keyword) != "port" || option->val == nullptr) continue;
      if (std::string_view(option->val).find_first_not_of("0123456789,") != std::string_view::npos) {
        return "holds a port that is no number";
      }
    }
    return std::nullopt;
  }
  // libpq's own words may repeat the URL, and with it a password.
  return "is not a PostgreSQL connection string";
}

std::vector<Keywords> servers_in(const std::string& url) {
  const std::unique_ptr<PQconninfoOption, FreeOptions> parsed(PQconninfoParse(url.c_str(), nullptr));
  if (!parsed) throw Unavailable("not a PostgreSQL connection string");
  Keywords all;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) all[option->keyword] = option->val;
  }
  const std::size_t count = parts_of(all[all.contains("hostaddr") ? "hostaddr" : "host"]).size();
  std::vector<Keywords> servers(count, all);
  for (const char* keyword : {"host", "hostaddr", "port"}) {
    if (!all.contains(keyword)) continue;
    const std::vector<std::string> parts = parts_of(all[keyword]);
    // One port may stand for all of them. Of other numbers libpq complains.
    if (parts.size() != count) continue;
    for (std::size_t i = 0; i < count; ++i) servers[i][keyword] = parts[i];
  }
  return servers;
}

}  // namespace rocket::pg
