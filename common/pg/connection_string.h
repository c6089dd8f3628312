#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

// Connection strings as libpq reads them ("Connection Strings" in PostgreSQL's documentation).
namespace rocket::pg {

// Checks, without connecting, whether libpq understands the connection string. Returns what is wrong with it,
// or nullopt.
std::optional<std::string> url_mistake(const std::string& url);

// True if a connection to one of its servers may go to another machine unencrypted. What the string does not
// say comes from PGHOST, PGHOSTADDR, PGSSLMODE and so on, as libpq takes it. False for a string that libpq
// does not understand.
bool may_travel_in_clear(const std::string& url);

// Keywords and their values, to call libpq with.
using Keywords = std::map<std::string, std::string>;

// A connection string may name several servers. libpq tries them in turn, but waits for ever for one that
// does not answer at all. So libpq gets one server after another, each for a limited time. Throws Unavailable
// when libpq does not understand the string.
std::vector<Keywords> servers_in(const std::string& url);

// Returns the host name if libpq would have to look it up, which blocks without a time limit. Returns nullopt
// for a Unix socket or an address.
std::optional<std::string> name_to_look_up(const Keywords& server);

// Returns the server at each of these addresses. It keeps its name, for certificates and password files.
std::vector<Keywords> at_addresses(const Keywords& server, const std::vector<std::string>& addresses);

}  // namespace rocket::pg
