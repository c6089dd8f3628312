#pragma once

#include <algorithm>
#include <asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "idempotency/request.h"
#include "pg/query.h"
#include "pg/result.h"

// A flow is a table: for each recovery point, it has the phase that leads to the next one.
namespace rocket::idempotency {

inline constexpr std::string_view kStarted = "started";
inline constexpr std::string_view kFinished = "finished";

// One SQL statement, so atomic by construction. It first updates (or locks) the key's row, where id is $1,
// lease is $2 and the recovery point is the phase's own. Everything else that it does depends on that row: if
// the lease is no longer ours, or the phase was done before, no row matches and nothing happens. It returns
// that row's recovery_point, response_code and response_body, or no row.
//
// It may end the request before the last phase by finishing the key. If nothing was done so far, it may also
// refuse the request. Then it deletes the key, so that the same request may be sent again, and returns a
// recovery_point of NULL and, in a column `refusal`, the code for Flow::refusal.
//
// A set statement does this for many keys at once, which costs little more than for one.
struct LocalPhase {
  pg::Statement statement;
};

// The call was answered. The value is $3 of the phase's record statement.
struct Recorded {
  std::string value;
};
// The call was answered, and the request ends here.
struct Ended {
  int status = 0;
  std::string body;
};
// There was no definite answer. The key is released, and the call is repeated later.
struct Unanswered {
  std::string reason;
};
// The call must not be repeated without a person's decision: the key is parked.
struct NeedsPerson {
  std::string reason;
};
using ForeignOutcome = std::variant<Recorded, Ended, Unanswered, NeedsPerson>;

// A call to somebody else's system, made while no transaction is open. It must be safe to repeat, and end
// well within the lease.
struct ForeignPhase {
  // Reads what the call needs, in the transaction before the call. $1 is the key id, $2 the lease.
  pg::Statement load;
  // `loaded` has the one row of `load`. If the call throws, the key is released.
  std::function<asio::awaitable<ForeignOutcome>(const pg::Result& loaded)> call;
  // A local phase with one more parameter: $3 is what the call returned.
  pg::Statement record;
};

struct Step {
  std::string_view recovery_point;
  std::variant<LocalPhase, ForeignPhase> phase;
};

struct Flow {
  // The first step is at kStarted; the last one leads to kFinished.
  std::vector<Step> steps;
  // Its phases lock rows of more than one key, so they must not share transactions with other requests.
  bool locks_shared_rows = false;
  // The answer to a request that a phase refuses with this code.
  std::function<Response(std::string_view code)> refusal{};

  bool has_foreign_call() const {
    return std::any_of(steps.begin(), steps.end(),
                       [](const Step& step) { return std::holds_alternative<ForeignPhase>(step.phase); });
  }
  // All statements of all phases.
  std::vector<pg::Statement> statements() const;
};

inline std::vector<pg::Statement> Flow::statements() const {
  std::vector<pg::Statement> all;
  for (const Step& step : steps) {
    if (const auto* local = std::get_if<LocalPhase>(&step.phase)) {
      all.push_back(local->statement);
    } else {
      const auto& foreign = std::get<ForeignPhase>(step.phase);
      all.insert(all.end(), {foreign.load, foreign.record});
    }
  }
  return all;
}

}  // namespace rocket::idempotency
