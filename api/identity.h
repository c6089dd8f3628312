#pragma once

#include <asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "api/failure.h"
#include "rocket/base/request_ids.h"
#include "rocket/pg/lane.h"
#include "rocket/pg/query.h"

// What the database knows about credentials. These queries are for the exceptions: a request that is in order
// costs no query of its own for its credentials. All let database errors through.
namespace rocket::api {

// Returns why these credentials do not permit `scope`, or nullopt if they do. `caller` and `ids` are as in
// pg::Unit.
asio::awaitable<std::optional<Failure>> find_fault(pg::Lane& lane, std::string credentials, std::string scope,
                                                   std::string caller, SharedRequestIds ids = {});

// Returns the id of the user whose credentials these are, if they are valid, and notes that they were used.
asio::awaitable<std::optional<std::string>> identify(pg::Lane& lane, std::string credentials,
                                                     SharedRequestIds ids = {});

std::vector<pg::Statement> identity_statements();

}  // namespace rocket::api
