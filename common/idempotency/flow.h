#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "rocket/idempotency/composed_statement.h"
#include "rocket/idempotency/request.h"
#include "rocket/pg/query.h"
#include "rocket/pg/result.h"

// A flow says what a request does: at each recovery point, the phase that leads to the next one. The phases
// contribute the bodies of SQL statements; the flow composes as few statements of them as it can.
namespace rocket::idempotency {

inline constexpr std::string_view kStarted = "started";
inline constexpr std::string_view kFinished = "finished";

// A part of an SQL statement: common table expressions, separated by commas, for many requests at once. They
// draw on `key`, which has a row for each key whose lease is ours and which stands where the statement
// begins:
//   n, id, user_id, request_path, request_params, origin_ip, traceparent, resumed_at, and, behind a call,
//   recorded
// and on what the bodies before them have made. They see the database as it was before the statement, so a
// row that one of them changes is seen by the others only through RETURNING. The engine itself uses the names
// key, asked, claimed, verdict, call, moved, refused, gone, forgotten, answer and done.
struct Body {
  const char* makes = "";
  // The same names, read from the tables, for a statement that begins behind this phase.
  const char* reads = "";
};

// Atomic, because it is part of one statement.
struct LocalPhase {
  Body body;
  // The body has a table `refused` (n, key_id, refusal) of requests that end here, before they have done
  // anything. Their keys are deleted, so that the same request may be sent again; `refusal` is the code of
  // what the flow answers.
  bool may_refuse = false;
};

// The call was answered. The body of the record reads the value as key.recorded.
struct Recorded {
  std::string value;
};
// The call was answered, and the request ends here.
struct Ended {
  int status = 0;
  std::string body;
  // For the log and for operators. The client does not see it.
  std::string note{};
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
  // A SELECT of what the call needs: exactly one row for each key, with n and with the id of the key as
  // key_id. Otherwise the statement fails, and nothing of it takes effect.
  const char* needs;
  // `needed` has the one row of the key. `ids` is not null. If the call throws, the key is released.
  std::function<asio::awaitable<ForeignOutcome>(const pg::Result& needed, SharedRequestIds ids)> call;
  Body record;
};

struct Step {
  // At most 50 characters. A constant, because the step keeps no copy.
  std::string_view recovery_point;
  std::variant<LocalPhase, ForeignPhase> phase;
  // What follows this phase is a statement of its own (in the same transaction), because it reads rows that
  // another transaction may have changed while this phase waited for it.
  bool apart = false;
};

// What the phase of a step contributes. For a foreign call, it is the record of the answer.
const Body& body_of(const Step& step);

// The final answer when the last step is done.
struct FinalAnswer {
  int status = 0;
  // A SELECT with the columns n, key_id and body (json), exactly one row for each key. Otherwise the
  // statement fails, and nothing of it takes effect. It may draw on every body.
  const char* body;
};

struct FlowDeclaration {
  // Begins the names of its statements. No two flows of a program have the same name.
  std::string name;
  // A SELECT that finds the owner of asked.credential: one row with a bigint, or no row. It is a part of the
  // statement that claims a key, so it costs no round trip of its own.
  const char* owner = nullptr;
  // The first step is at kStarted; the last one leads to kFinished.
  std::vector<Step> steps;
  FinalAnswer answer;
  // Its phases lock rows of more than one key, so they must not share transactions with other requests.
  bool locks_shared_rows = false;
  // The answer to a request that a phase refuses with this code.
  std::function<Response(std::string_view code)> refusal{};
};

// From one recovery point up to the next commit that is needed: the one before a foreign call, whose needs
// the last statement reads, or the one that finishes the request. Its statements travel together.
//
// A statement does nothing unless the one before it took effect. So the last result tells how it went, unless
// one before it has ended the request.
struct Stretch {
  std::vector<const ComposedStatement*> statements;
  // The call before which it ends, if any.
  const ForeignPhase* next_call = nullptr;
};

// Immutable, so thread safe. Statements live as long as the flow.
class Flow {
 public:
  // Throws std::logic_error when the steps are not as described above.
  explicit Flow(FlowDeclaration declaration);

  const std::string& name() const { return declaration_.name; }
  bool has_foreign_call() const;
  bool locks_shared_rows() const { return declaration_.locks_shared_rows; }
  const std::vector<Step>& steps() const { return declaration_.steps; }
  Response refusal(std::string_view code) const { return declaration_.refusal(code); }

  // The statement that claims keys and looks at them; see keys.h.
  const ComposedStatement& claim_only() const { return *claim_only_; }
  // One statement that claims keys and takes the new ones through the first stretch. Null if a phase of the
  // first stretch may refuse or is apart, or if no foreign call follows.
  const ComposedStatement* claim_and_begin() const { return claim_and_begin_.get(); }
  // From this recovery point on. Throws std::logic_error when the flow has no such point.
  const Stretch& from(std::string_view recovery_point) const;
  // From the answer of the foreign call at this recovery point on. The first statement has one more
  // parameter: what is to be recorded.
  const Stretch& after_call(std::string_view recovery_point) const;

  std::vector<pg::Statement> statements() const;
  // Those that take a key on, without those that claim it: a program that only resumes needs no others.
  std::vector<pg::Statement> statements_after_claim() const;

 private:
  // What can happen at one step.
  struct Ways {
    Stretch from;
    Stretch after_call;
  };

  std::size_t index_of(std::string_view recovery_point) const;
  Stretch stretch_from(std::size_t step, bool is_answered);
  const ComposedStatement* statement(std::string name, std::string sql);
  std::size_t end_of_statement(std::size_t step, bool is_answered) const;

  FlowDeclaration declaration_;
  std::vector<std::unique_ptr<ComposedStatement>> statements_;
  std::unique_ptr<ComposedStatement> claim_only_;
  std::unique_ptr<ComposedStatement> claim_and_begin_;
  std::vector<Ways> ways_;
};

}  // namespace rocket::idempotency
