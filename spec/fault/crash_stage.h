#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "endpoints/endpoint.h"
#include "spec/fault/examples.h"
#include "spec/support/api_process.h"
#include "spec/support/payment_provider.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// How a request ends, and by what way.
enum class Ending {
  kSucceeds,
  // By the provider, for good. The card is declined; where it has been charged before, the call is refused.
  kRefused,
  // The provider is away at first, so the key is released; the next attempt succeeds.
  kReleasedThenRetried,
  // The first attempt took effect at the provider, which told nobody. That was so long ago that the provider
  // has forgotten the key, and is asked what it has done.
  kLookedUp,
  // The first attempt was long ago, too, and the provider cannot be asked: the key is parked.
  kParked,
  // Completers have tried as often as they may: one parks the key.
  kHopeless,
};

// Whether requests of this endpoint can end so: most endings are those of a foreign call.
bool is_possible(const endpoints::Endpoint& endpoint, Ending ending);

// A database, a provider, and requests of one endpoint that all end in one way, whoever works on them. What
// has to be done before is done by a process that is left in peace.
class CrashStage {
 public:
  CrashStage(const endpoints::Endpoint& endpoint, Ending ending);

  // For the processes that work on the requests, by this way to the database.
  Environment environment(const std::string& database_url) const;
  Environment environment() const { return environment(database_.url()); }

  // Of a request for which everything is prepared. The provider is ready for this one alone.
  std::string fresh_key();
  ClientRequest request(const std::string& key) const;
  // As a client does that comes again when it is told to. The last answer.
  ClientResponse send(HttpConnection& connection, const std::string& key) const;
  ClientResponse send(const ApiProcess& api, const std::string& key) const;
  // Its client has gone before its first phase, or after the attempt of long ago. Due for a completer.
  void abandon(const std::string& key);
  // As if its lease had run out, and the grace of abandoned keys too.
  void age(const std::string& key);

  // Whether the answer is the one that the ending has.
  bool is_the_end(const ClientResponse& answer) const;
  // Finished or parked.
  bool has_ended(const std::string& key);
  bool have_all_ended();

  // The charges and refunds of the provider are those that the database knows of, and as many undisturbed
  // requests leave the same behind.
  void expect_each_key_had_one_effect();

  TestDatabase& database() { return database_; }
  const PaymentProvider& provider() const { return provider_; }

 private:
  std::string user() const;
  bool card_was_charged_before() const { return !endpoint_.example.from.empty(); }
  // Does what the request needs to have been done before.
  Prepared prepare() const;
  void try_long_ago(const std::string& key);
  void end_undisturbed(std::size_t requests);

  const endpoints::Endpoint& endpoint_;
  Ending ending_;
  TestDatabase database_;
  PaymentProvider provider_;
  ApiProcess in_peace_;
  std::vector<std::string> keys_;
  // By key.
  std::map<std::string, Prepared> requests_;
};

}  // namespace rocket::spec
