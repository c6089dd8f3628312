#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "idempotency/request.h"
#include "pg/query.h"
#include "pg/result.h"

// An endpoint is a table: at each recovery point, the phase that leads to the next one.
namespace rocket::idempotency {

inline constexpr std::string_view kStarted = "started";
inline constexpr std::string_view kFinished = "finished";

// One SQL statement, so atomic by construction. It begins by updating (or locking) the key's row, where id is
// $1, lease is $2 and the recovery point is the phase's own, and everything else it does draws on that row:
// when the lease is no longer ours, or the phase was done before, nothing matches and nothing happens. It
// returns that row's recovery_point, response_code and response_body, or no row.
//
// As a set statement it does so for many keys at once, which costs little more than for one.
struct LocalPhase {
  pg::Statement statement;
};

// The call was answered; $3 of the phase's record statement.
struct Recorded {
  std::string value;
};
// The call was answered, and the request ends here.
struct Ended {
  int status = 0;
  std::string body;
};
// No definite answer: the key is released and the call repeated later.
struct Unanswered {
  std::string reason;
};
// It must not be repeated without a person's decision: the key is parked.
struct NeedsPerson {
  std::string reason;
};
using ForeignOutcome = std::variant<Recorded, Ended, Unanswered, NeedsPerson>;

// A call to somebody else's system, made while no transaction is open. It must be safe to repeat, and end
// well within the lease.
struct ForeignPhase {
  // $1 key id, $2 lease. Reads what the call needs, in the transaction before it.
  pg::Statement load;
  // `loaded` has the one row of `load`. Throwing releases the key.
  std::function<asio::awaitable<ForeignOutcome>(const pg::Result& loaded, bool raise_error)> call;
  // A local phase with one more parameter: $3, what the call returned.
  pg::Statement record;
};

struct Step {
  std::string_view recovery_point;
  std::variant<LocalPhase, ForeignPhase> phase;
};

struct Flow {
  std::string method;
  std::string path;
  // Parameters of a request that works, a JSON object; the fault suite sends them.
  std::string example;
  // The first step is at kStarted; the last one leads to kFinished.
  std::vector<Step> steps;
  // Its phases lock rows of more than one key, so they must not share transactions with other requests.
  bool locks_shared_rows = false;
};

// All endpoints that the program knows.
class Flows {
 public:
  explicit Flows(std::vector<Flow> flows) : flows_(std::move(flows)) {}

  const Flow* find(std::string_view method, std::string_view path) const {
    for (const Flow& flow : flows_) {
      if (flow.method == method && flow.path == path) return &flow;
    }
    return nullptr;
  }
  std::vector<Flow>::const_iterator begin() const { return flows_.begin(); }
  std::vector<Flow>::const_iterator end() const { return flows_.end(); }

 private:
  std::vector<Flow> flows_;
};

}  // namespace rocket::idempotency
