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

// What all callers share; each must outlive them.
struct Stage {
  Pacer& pacer;
  Statistics& statistics;
  Witness& witness;
  Reachability& reachability;
  std::stop_token stop;
  // Begins every request id of this run, so that ids of two runs differ.
  std::string run_name;
};

// One plan on its way: its key, fresh in every run, and what is known of it.
struct Errand {
  const Plan& plan;
  // Empty: sent without a key.
  std::string key;
  KeyHistory history;

  // A ride is cancelled once, key or not.
  bool may_be_repeated() const { return !key.empty() || plan.is_cancellation(); }
};

struct CallResult {
  Ending ending = Ending::kStopped;
  // Of the last answer; 0 when there was none.
  int status = 0;
  // Requests sent.
  int attempts = 0;
};

// A client that behaves, with a connection of its own. Not thread safe; two callers may work on one errand.
class Caller {
 public:
  Caller(HttpClient client, const Stage& stage) : client_(std::move(client)), stage_(stage) {}

  // Sends once.
  CallResult try_once(Errand& errand, const Attempt& attempt);
  // Sends until there is a final answer, or none to be had: again after failures for which the contract says
  // so, with growing pauses, a bounded number of times.
  CallResult insist(Errand& errand, const Attempt& attempt);

 private:
  using Reply = std::variant<HttpAnswer, Silence>;

  // nullopt: told to stop before it was sent.
  std::optional<Reply> send(Errand& errand, const Attempt& attempt, CallResult& result);

  HttpClient client_;
  const Stage& stage_;
};

}  // namespace rocket::simulator
