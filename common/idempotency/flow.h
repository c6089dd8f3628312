#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <stdexcept>
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
// It may end the request before the last phase: by finishing the key, or, when nothing was done so far, by
// refusing. Then it deletes the key, so that the same request may be sent again, and returns the answer's
// response_code and response_body with a recovery_point of NULL and retry_after: seconds, or NULL.
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

// A request that works; the fault suite sends it.
struct Example {
  // A JSON object.
  std::string parameters;
  // Where the path ends in a variable: whose example is sent first, by POST to this path, and where in its
  // answer is what the variable stands for (a JSON pointer, RFC 6901).
  std::string prepared_by{};
  std::string variable_at{};
};

struct Flow {
  std::string method;
  // Ends in "/" where the last segment is a variable.
  std::string path;
  Example example;
  // The first step is at kStarted; the last one leads to kFinished.
  std::vector<Step> steps;
  // Its phases lock rows of more than one key, so they must not share transactions with other requests.
  bool locks_shared_rows = false;
};

// All endpoints that the program knows.
class Flows {
 public:
  explicit Flows(std::vector<Flow> flows) : flows_(std::move(flows)) {}

  // The flow whose method and path are these, variable and all. Throws std::out_of_range.
  const Flow* at(std::string_view method, std::string_view path) const {
    for (const Flow& flow : flows_) {
      if (flow.method == method && flow.path == path) return &flow;
    }
    throw std::out_of_range("no flow for " + std::string(path));
  }
  // The flow of a request, or nullptr.
  const Flow* find(std::string_view method, std::string_view path) const {
    for (const Flow& flow : flows_) {
      if (flow.method == method && matches(flow.path, path)) return &flow;
    }
    return nullptr;
  }
  std::vector<Flow>::const_iterator begin() const { return flows_.begin(); }
  std::vector<Flow>::const_iterator end() const { return flows_.end(); }

 private:
  static bool matches(std::string_view pattern, std::string_view path) {
    if (!pattern.ends_with('/')) return path == pattern;
    return path.size() > pattern.size() && path.starts_with(pattern) &&
           path.find('/', pattern.size()) == std::string_view::npos;
  }

  std::vector<Flow> flows_;
};

}  // namespace rocket::idempotency
