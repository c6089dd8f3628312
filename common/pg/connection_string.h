#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

// Connection strings as libpq reads them ("Connection Strings" in PostgreSQL's documentation).
namespace rocket::pg {

// Checks, without connecting, that libpq understands the connection string; says what is wrong with it.
std::optional<std::string> url_mistake(const std::string& url);

// Whether a connection to one of its servers may go to another machine unencrypted. What the string does not
// say comes from PGHOST, PGHOSTADDR, PGSSLMODE and so on, as libpq takes it. Of a string that libpq does not
// understand: false.
bool may_travel_in_clear(const std::string& url);

// What libpq is to be called with: keywords and their values.
using Keywords = std::map<std::string, std::string>;

// A connection string may name several servers. libpq tries them in turn, but stays for ever at one that does
// not answer at all; so it is given one after another, each for a limited time. Throws Unavailable when libpq
// does not understand the string.
std::vector<Keywords> servers_in(const std::string& url);

// The host's name, where libpq would have to look it up: which takes as long as it takes, and blocks. Not for
// a Unix socket, nor for an address.
std::optional<std::string> name_to_look_up(const Keywords& server);

// The server at each of these addresses. It keeps its name, for certificates and password files.
std::vector<Keywords> at_addresses(const Keywords& server, const std::vector<std::string>& addresses);

}  // namespace rocket::pg
