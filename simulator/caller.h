#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>

#include "simulator/http_client.h"
#include "simulator/pacer.h"
#include "simulator/plan.h"
#include "simulator/reachability.h"
#include "simulator/statistics.h"
#include "simulator/witness.h"

namespace rocket::simulator {

// What all callers share. Every object that it refers to must outlive the callers.
struct Stage {
  Pacer& pacer;
  Statistics& statistics;
  Witness& witness;
  Reachability& reachability;
  std::stop_token stop;
  // The beginning of every request id of this run, so that the ids of two runs differ.
  std::string run_name;
};

// A plan that is being carried out: its key, which is new in every run, and what the client knows of the key.
struct Errand {
  const Plan& plan;
  // Empty if the request is sent without a key.
  std::string key;
  KeyHistory history;

  // A cancellation may be repeated without a key, because a ride is cancelled only once.
  bool may_be_repeated() const { return !key.empty() || plan.is_cancellation(); }
};

struct CallResult {
  Ending ending = Ending::kStopped;
  // The status of the last answer; 0 if there was none.
  int status = 0;
  // Number of requests sent.
  int attempts = 0;
};

// A well-behaved client with its own connection. Not thread safe, but two callers may work on one errand.
class Caller {
 public:
  Caller(HttpClient client, const Stage& stage) : client_(std::move(client)), stage_(stage) {}

  // Sends once.
  CallResult try_once(Errand& errand, const Attempt& attempt);
  // Sends until there is a final answer, or until none can be expected. Sends again only after failures for
  // which the contract says so, with growing pauses, and at most kMaxAttempts times.
  CallResult insist(Errand& errand, const Attempt& attempt);

 private:
  using Reply = std::variant<HttpAnswer, Silence>;

  // Returns nullopt if told to stop before the request was sent.
  std::optional<Reply> send(Errand& errand, const Attempt& attempt, CallResult& result);

  HttpClient client_;
  const Stage& stage_;
};

}  // namespace rocket::simulator
