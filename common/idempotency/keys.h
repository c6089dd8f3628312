#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "rocket/idempotency/composed_statement.h"
#include "rocket/idempotency/request.h"
#include "rocket/pg/query.h"
#include "rocket/pg/result.h"

// The life of one row of idempotency_keys, as queries: claim, finish, release, park.
namespace rocket::idempotency {

// One attempt's right to work on a key.
struct Lease {
  // The request's credential, or something else that stands for the owner. Keys with the same text but
  // another owner are different keys.
  std::string owner;
  std::string key;
  // For a claim: the id that the row gets if the key is new.
  std::string key_id;
  // The fencing token: random, so it can never be somebody else's. See docs/design.md.
  std::string token;
  // Earlier tokens of the same attempt. Each was replaced when a commit was in doubt or the lease seemed
  // lost.
  std::vector<std::string> in_doubt_tokens{};
  // The request's caller.
  std::string caller{};
  // The attempt has made the key.
  bool made_key = false;
  // False for the first attempt of its key, which writes no history when it succeeds.
  bool is_retry = false;
  // The ids of the request that the attempt is for. They are never null while the engine works.
  std::shared_ptr<RequestIds> ids{};
};

// Who makes attempts. Operators see it in the history of a key. Either may be empty.
struct Worker {
  std::string process;
  std::string host;
};

// Why an attempt has ended without an answer.
struct EndReason {
  // The owner of the key sees this word.
  enum class Word { kNoAnswer, kDatabaseUnavailable, kFailed, kStopped };
  Word word = Word::kFailed;
  // For operators.
  std::string error{};
};

// We hold the lease and go on at this recovery point.
struct Claimed {
  std::string key_id;
  std::string recovery_point;
  // The claim has made the key, and has taken it through the first stretch of its flow.
  bool is_new = false;
};
// Another transaction changed the key between the two halves of the statement: claim again.
struct ClaimAgain {
  // False if there was no such key.
  bool is_stored = false;
};
using ClaimResult = std::variant<Claimed, Response, Refusal, ClaimAgain>;

// Takes the lease of the request's key, creates the key if it is new, and says how far the key got. It takes
// over from an in-doubt token at once: this is how a commit in doubt is resolved. A transaction that is still
// under way under that token can write nothing afterwards. Repeating a claim with the same lease is harmless.
//
// `statement` is Flow::claim_only(), or Flow::claim_and_begin(), which also takes a new key through the first
// stretch.
pg::Query claim(const Request& request, const Lease& lease, std::chrono::seconds lease_time,
                const ComposedStatement& statement);
// The same, but it takes no lease. Its result is never Claimed; it is ClaimAgain where a claim might succeed.
// `statement` is Flow::claim_only().
pg::Query look_up(const Request& request, std::chrono::seconds lease_time,
                  const ComposedStatement& statement);
ClaimResult read_claim(const pg::Result& result, const Lease& lease);

// `note` is for operators; it may be empty.
// These do nothing when the lease does not hold the key any more. Only release also works for in-doubt
// tokens. Release and park write the history of the key and have one row if they took effect; for finish, see
// tell_retry() in history.h.
pg::Query finish(const Lease& lease, const std::string& recovery_point, int status, const std::string& body,
                 const std::string& note);
pg::Query release(const Lease& lease, const Worker& worker, const EndReason& reason);
pg::Query park(const Lease& lease, const Worker& worker, const std::string& error);

// All statements of the above, and of history.h, that do not belong to a flow.
std::vector<pg::Statement> key_statements();

}  // namespace rocket::idempotency
