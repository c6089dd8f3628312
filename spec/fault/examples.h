#pragma once

#include <functional>
#include <set>
#include <string>

#include "endpoints/endpoint.h"
#include "spec/support/http_client.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// For specs that try something with each endpoint that the program has, without knowing which these are.
namespace rocket::spec {

// As the program has them. Nothing is ever run by these.
const endpoints::Endpoints& all_endpoints();

// "DeleteRides". Letters only, because it is part of what names a test to ctest.
std::string name_of(const endpoints::Endpoint& endpoint);

// An example whose references are resolved.
struct Prepared {
  std::string path;
  // A JSON object.
  std::string parameters;
};
// Sends the example of an endpoint, which must succeed, and returns the answer's body.
using Send = std::function<std::string(const endpoints::Endpoint&, const Prepared&)>;
// What the example refers to is made first.
Prepared prepare(const endpoints::Endpoint& endpoint, const Send& send);

ClientRequest example_of(const endpoints::Endpoint& endpoint, const Prepared& prepared,
                         const std::string& key, const std::string& user = kUser);
// The same for the engine, of kUser.
idempotency::Request engine_example(const endpoints::Endpoint& endpoint, const Prepared& prepared,
                                    const std::string& key);

// The ids of all that foreign calls have moved, as the rows tell that are the effects of all endpoints.
std::multiset<std::string> moved_ids(TestDatabase& database);

}  // namespace rocket::spec
