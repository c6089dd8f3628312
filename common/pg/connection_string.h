#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

// Connection strings as libpq reads them ("Connection Strings" in PostgreSQL's documentation).
namespace rocket::pg {

// Checks, without connecting, that libpq understands the connection string; says what is wrong with it.
std::optional<std::string> url_mistake(const std::string& url);

// What libpq is to be called with: keywords and their values.
using Keywords = std::map<std::string, std::string>;

// A connection string may name several servers. libpq tries them in turn, but stays for ever at one that does
// not answer at all; so it is given one after another, each for a limited time. Throws Unavailable when libpq
// does not understand the string.
std::vector<Keywords> servers_in(const std::string& url);

}  // namespace rocket::pg
