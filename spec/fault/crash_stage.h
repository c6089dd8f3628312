#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rocket/endpoints/endpoint.h"
#include "spec/support/api_process.h"
#include "spec/support/examples.h"
#include "spec/support/payment_provider.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// How a request ends, and what happens before.
enum class Ending {
  kSucceeds,
  // The provider refuses for good. It declines the card, or refuses the call if the endpoint needs an earlier
  // charge.
  kRefused,
  // The provider is away at first, so the key is released. The next attempt succeeds.
  kReleasedThenRetried,
  // The first attempt took effect, but its answer was lost. Since then the provider has forgotten the key, so
  // it is asked whether it has charged or refunded.
  kLookedUp,
  // The first attempt was long ago too, but the provider cannot be asked, so the key is parked.
  kParked,
  // Completers have used all their attempts, so the next one parks the key.
  kHopeless,
};

// Whether requests of this endpoint can end in this way. Most endings need a foreign call.
bool is_possible(const endpoints::Endpoint& endpoint, Ending ending);

// A database, a provider, and requests of one endpoint that all end in the same way, whichever process works
// on them. A separate process, which is never disturbed, makes what the requests need.
class CrashStage {
 public:
  CrashStage(const endpoints::Endpoint& endpoint, Ending ending);

  // The environment of the processes that work on the requests, with this URL of the database.
  Environment environment(const std::string& database_url) const;
  Environment environment() const { return environment(database_.url()); }

  // Prepares everything for a new request, and returns its key. The provider is prepared for this request
  // only.
  std::string fresh_key();
  ClientRequest request(const std::string& key) const;
  // Sends the request as a client that retries when it is told to. Returns the last answer.
  ClientResponse send(HttpConnection& connection, const std::string& key) const;
  ClientResponse send(const ApiProcess& api, const std::string& key) const;
  // Stores the key as its client left it: before the first phase, or after the attempt of long ago. The key
  // is then due for a completer.
  void abandon(const std::string& key);
  // Makes the key so old that its lease and the grace of abandoned keys are over.
  void age(const std::string& key);

  // Whether this is the answer of the ending.
  bool is_the_end(const ClientResponse& answer) const;
  // Whether the key is finished or parked.
  bool has_ended(const std::string& key);
  bool have_all_ended();

  // Expects that the provider's charges and refunds are those in the database, and that the same number of
  // undisturbed requests leaves the same contents.
  void expect_each_key_had_one_effect();

  TestDatabase& database() { return database_; }
  const PaymentProvider& provider() const { return provider_; }

 private:
  std::string user() const;
  bool card_was_charged_before() const { return !endpoint_.example.from.empty(); }
  // Makes what the request needs, such as a ride to cancel.
  Prepared prepare() const;
  void try_long_ago(const std::string& key);
  void end_undisturbed(std::size_t requests);

  const endpoints::Endpoint& endpoint_;
  Ending ending_;
  TestDatabase database_;
  PaymentProvider provider_;
  ApiProcess in_peace_;
  std::vector<std::string> keys_;
  // The requests by key.
  std::map<std::string, Prepared> requests_;
};

}  // namespace rocket::spec
