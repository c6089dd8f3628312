#pragma once

#include <functional>
#include <map>
#include <string>

#include "idempotency/flow.h"
#include "spec/support/http_client.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// For specs that try something with each endpoint that the program has, without knowing which these are.
namespace rocket::spec {

// As the program has them. Nothing is ever run by these.
const idempotency::Flows& flows();

// "DeleteRides". Letters only, because it is part of what names a test to ctest.
std::string name_of(const idempotency::Flow& flow);

// Where the example of this flow goes. What it needs is made first: `send` sends the example of another flow,
// which must succeed, and returns the answer's body.
std::string prepared_path(const idempotency::Flow& flow,
                          const std::function<std::string(const idempotency::Flow&)>& send);

ClientRequest example_of(const idempotency::Flow& flow, const std::string& path, const std::string& key,
                         const std::string& user = kUser);
// The same for the engine, of kUser.
idempotency::Request engine_example(const idempotency::Flow& flow, const std::string& path,
                                    const std::string& key);

// What there is in the database, as far as it depends on what was asked for and not on how often it was
// tried: how many rows each table has, the sums of what is counted in them, and how the keys ended.
std::map<std::string, std::string> contents(TestDatabase& database);

}  // namespace rocket::spec
