#pragma once

#include <functional>
#include <string>

#include "idempotency/flow.h"
#include "spec/support/http_client.h"
#include "spec/support/requests.h"

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

}  // namespace rocket::spec
