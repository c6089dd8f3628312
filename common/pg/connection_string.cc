#include "rocket/pg/connection_string.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <asio/ip/address.hpp>
#include <cstddef>
#include <memory>
#include <string_view>
#include <system_error>

#include "rocket/base/text.h"
#include "rocket/pg/errors.h"

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

// Adds PGHOST and PGHOSTADDR, or the host of the service that PGSERVICE names.
void add_host_of_environment(std::map<std::string, std::string>& server) {
  const std::unique_ptr<PQconninfoOption, FreeOptions> defaults(PQconndefaults());
  if (!defaults) return;
  for (const PQconninfoOption* option = defaults.get(); option->keyword != nullptr; ++option) {
    const std::string_view keyword = option->keyword;
    if (option->val != nullptr && (keyword == "host" || keyword == "hostaddr")) {
      server[option->keyword] = option->val;
    }
  }
}

using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;

// What the string says, else what libpq falls back on. Keywords with an empty value are left out.
Keywords with_fallbacks(const PQconninfoOption* said) {
  Keywords all;
  const Options fallbacks(PQconndefaults());
  for (const PQconninfoOption* each : {static_cast<const PQconninfoOption*>(fallbacks.get()), said}) {
    for (; each != nullptr && each->keyword != nullptr; ++each) {
      if (each->val != nullptr && *each->val != '\0') all[each->keyword] = each->val;
    }
  }
  return all;
}

// True for a Unix socket and for an address whose packets never leave the machine. An empty host means the
// socket that libpq falls back on.
bool is_on_this_machine(const std::string& host) {
  if (host.empty() || host.front() == '/' || host.front() == '@') return true;
  std::error_code is_a_name;
  const asio::ip::address address = asio::ip::make_address(host, is_a_name);
  return is_a_name ? equal_ignoring_case(host, "localhost") : address.is_loopback();
}

}  // namespace

bool may_travel_in_clear(const std::string& url) {
  const Options parsed(PQconninfoParse(url.c_str(), nullptr));
  if (!parsed) return false;
  Keywords all = with_fallbacks(parsed.get());
  const std::string& mode = all["sslmode"];
  if (mode == "require" || mode == "verify-ca" || mode == "verify-full") return false;
  const std::vector<std::string> hosts = parts_of(all["host"]);
  const std::vector<std::string> addresses = parts_of(all["hostaddr"]);
  for (std::size_t i = 0; i < std::max(hosts.size(), addresses.size()); ++i) {
    const bool has_address = i < addresses.size() && !addresses[i].empty();
    const std::string& target = has_address ? addresses[i] : i < hosts.size() ? hosts[i] : std::string();
    if (!is_on_this_machine(target)) return true;
  }
  return false;
}

std::optional<std::string> url_mistake(const std::string& url) {
  char* complaint = nullptr;
  const Options parsed(PQconninfoParse(url.c_str(), &complaint));
  const std::unique_ptr<char, decltype(&PQfreemem)> owned(complaint, &PQfreemem);
  if (parsed) {
    // libpq looks at ports only when it connects. Then we would wait for ever for a server that cannot exist.
    for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
      if (std::string_view(option->keyword) != "port" || option->val == nullptr) continue;
      if (std::string_view(option->val).find_first_not_of("0123456789,") != std::string_view::npos) {
        return "holds a port that is no number";
      }
    }
    return std::nullopt;
  }
  // libpq's own message may repeat the URL, and with it a password.
  return "is not a PostgreSQL connection string";
}

std::vector<Keywords> servers_in(const std::string& url) {
  const Options parsed(PQconninfoParse(url.c_str(), nullptr));
  if (!parsed) throw Unavailable("not a PostgreSQL connection string");
  Keywords all;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) all[option->keyword] = option->val;
  }
  if (!all.contains("host") && !all.contains("hostaddr")) add_host_of_environment(all);
  // libpq would believe what a pooler says of the server; Connection asks the server itself.
  if (const auto wanted = all.find("target_session_attrs");
      wanted != all.end() && (wanted->second == "read-write" || wanted->second == "primary")) {
    wanted->second = "any";
  }
  const std::size_t count = parts_of(all[all.contains("hostaddr") ? "hostaddr" : "host"]).size();
  std::vector<Keywords> servers(count, all);
  for (const char* keyword : {"host", "hostaddr", "port"}) {
    if (!all.contains(keyword)) continue;
    const std::vector<std::string> parts = parts_of(all[keyword]);
    // One port may stand for all hosts. libpq itself complains of any other number of ports.
    if (parts.size() != count) continue;
    for (std::size_t i = 0; i < count; ++i) servers[i][keyword] = parts[i];
  }
  return servers;
}

std::optional<std::string> name_to_look_up(const Keywords& server) {
  const auto value = [&server](const char* keyword) {
    const auto found = server.find(keyword);
    return found == server.end() ? std::string() : found->second;
  };
  std::string host = value("host");
  if (!value("hostaddr").empty() || host.empty() || host.front() == '/' || host.front() == '@') {
    return std::nullopt;
  }
  std::array<unsigned char, sizeof(in6_addr)> address{};
  for (const int family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, host.c_str(), address.data()) == 1) return std::nullopt;
  }
  return host;
}

std::vector<Keywords> at_addresses(const Keywords& server, const std::vector<std::string>& addresses) {
  std::vector<Keywords> all(addresses.size(), server);
  for (std::size_t i = 0; i < addresses.size(); ++i) all[i]["hostaddr"] = addresses[i];
  return all;
}

}  // namespace rocket::pg
