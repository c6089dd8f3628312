#pragma once

#include <functional>
#include <set>
#include <string>

#include "rocket/endpoints/endpoint.h"
#include "spec/support/http_client.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// For specs that run something for every endpoint of the program without naming the endpoints.
namespace rocket::spec {

// The program's endpoints, as descriptions only: they never run.
const endpoints::Endpoints& all_endpoints();

// A name such as "DeleteRides". It has letters only, because it is part of a test name in ctest.
std::string name_of(const endpoints::Endpoint& endpoint);

// An example whose references are resolved.
struct Prepared {
  std::string path;
  // A JSON object.
  std::string parameters;
};
// Sends the example of an endpoint, which must succeed, and returns the answer's body.
using Send = std::function<std::string(const endpoints::Endpoint&, const Prepared&)>;
// First makes what the example refers to.
Prepared prepare(const endpoints::Endpoint& endpoint, const Send& send);

ClientRequest example_of(const endpoints::Endpoint& endpoint, const Prepared& prepared,
                         const std::string& key, const std::string& user = kUser);
// The same request of kUser for the engine.
idempotency::Request engine_example(const endpoints::Endpoint& endpoint, const Prepared& prepared,
                                    const std::string& key);

// The ids of all charges and refunds that the rows of all endpoints' effects hold.
std::multiset<std::string> moved_ids(TestDatabase& database);

}  // namespace rocket::spec
