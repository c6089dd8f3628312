#include "rocket/idempotency/keys.h"

#include <stdexcept>

#include "rocket/base/text.h"
#include "rocket/idempotency/history.h"

namespace rocket::idempotency {
namespace {

constexpr pg::Statement kFinish{"finish_key", R"sql(
UPDATE idempotency_keys
   SET recovery_point = 'finished', response_code = $4::int, response_body = $5,
       finished_at = now(), last_run_at = now(), lease = NULL, locked_at = NULL,
       last_error = coalesce(left(nullif($6, ''), 500), last_error)
 WHERE id = $1 AND lease = $2 AND recovery_point = $3
RETURNING recovery_point, response_code, response_body
)sql"};

// Finds the row by its key, not by id: after a claim in doubt the id may not be known. The tokens tell which
// owner's key it is.
constexpr auto kReleaseSql = joined(R"sql(
WITH ended AS (
  UPDATE idempotency_keys
     SET lease = NULL, locked_at = NULL, last_run_at = now(), last_error = left($3, 500)
   WHERE idempotency_key = $1 AND lease = ANY ($2::uuid[])
  RETURNING id AS key_id, attempts, attempts - 1 AS unheard, recovery_point, $4::text AS process, $5::text AS host,
            recovery_point AS to_point, 'released' AS outcome, $6::text AS reason, $3 AS error
))sql",
                                    kTellHistorySql, "\nSELECT key_id FROM ended\n");
constexpr pg::Statement kRelease{"release_key", kReleaseSql.data()};

constexpr auto kParkSql = joined(R"sql(
WITH ended AS (
  UPDATE idempotency_keys
     SET lease = NULL, locked_at = NULL, last_run_at = now(), parked_at = now(), last_error = left($3, 500)
   WHERE id = $1 AND lease = $2
  RETURNING id AS key_id, attempts, attempts - 1 AS unheard, recovery_point, $4::text AS process, $5::text AS host,
            recovery_point AS to_point, 'parked' AS outcome, 'needs_person' AS reason, $3 AS error
))sql",
                                 kTellHistorySql, "\nSELECT key_id FROM ended\n");
constexpr pg::Statement kPark{"park_key", kParkSql.data()};

const char* name_of(EndReason::Word word) {
  switch (word) {
    case EndReason::Word::kNoAnswer:
      return "no_answer";
    case EndReason::Word::kDatabaseUnavailable:
      return "database_unavailable";
    case EndReason::Word::kStopped:
      return "stopped";
    case EndReason::Word::kFailed:
      break;
  }
  return "failed";
}

// UUIDs need no quoting inside an array.
std::string array_of(const std::vector<std::string>& uuids) {
  std::string array = "{";
  for (const std::string& uuid : uuids) {
    if (array.size() > 1) array += ',';
    array += uuid;
  }
  return array + '}';
}

std::optional<std::string> traceparent_of(const Request& request) {
  if (!request.ids || request.ids->traceparent.empty()) return std::nullopt;
  return request.ids->traceparent;
}

enum class Claiming { kTakes, kOnlyLooks };

pg::Query claim(const Request& request, const Lease& lease, std::chrono::seconds lease_time,
                const ComposedStatement& statement, Claiming claiming) {
  return {
      statement.statement(),
      {request.credential, lease.key_id, request.key, request.method, request.path, request.params,
       request.origin_ip, lease.token, std::to_string(lease_time.count()), array_of(lease.in_doubt_tokens),
       claiming == Claiming::kTakes ? "true" : "false", traceparent_of(request)}};
}

}  // namespace

pg::Query claim(const Request& request, const Lease& lease, std::chrono::seconds lease_time,
                const ComposedStatement& statement) {
  return claim(request, lease, lease_time, statement, Claiming::kTakes);
}

pg::Query look_up(const Request& request, std::chrono::seconds lease_time,
                  const ComposedStatement& statement) {
  Lease nobodys;
  nobodys.key_id = nobodys.token = "00000000-0000-0000-0000-000000000000";
  return claim(request, nobodys, lease_time, statement, Claiming::kOnlyLooks);
}

ClaimResult read_claim(const pg::Result& result, const Lease& lease) {
  if (result.empty()) return ClaimAgain{};
  const std::string_view verdict = result.text(0, "verdict");
  if (verdict == "claimed") {
    return Claimed{std::string(result.text(0, "id")), std::string(result.text(0, "recovery_point")),
                   result.text(0, "is_new") == "t"};
  }
  if (verdict == "finished") {
    // A key that this very attempt created was finished by it too: its commit was in doubt, and the client
    // has not seen the answer.
    const bool replayed = result.text(0, "id") != lease.key_id;
    Response response{static_cast<int>(result.integer(0, "response_code")),
                      std::string(result.text(0, "response_body")), replayed};
    response.made_key = !replayed;
    return response;
  }
  if (verdict == "claim_again") return ClaimAgain{!result.is_null(0, "id")};
  if (verdict == "reused") return Refusal{RefusalKind::kKeyReused};
  if (verdict == "in_progress") {
    return Refusal{RefusalKind::kInProgress, false, std::string(result.text(0, "id"))};
  }
  if (verdict == "parked") return Refusal{RefusalKind::kParked};
  if (verdict == "unknown_owner") return Refusal{RefusalKind::kUnknownOwner};
  throw std::logic_error("unknown verdict on a claim");
}

pg::Query finish(const Lease& lease, const std::string& recovery_point, int status, const std::string& body,
                 const std::string& note) {
  return {kFinish, {lease.key_id, lease.token, recovery_point, std::to_string(status), body, storable(note)}};
}

pg::Query release(const Lease& lease, const Worker& worker, const EndReason& reason) {
  std::vector<std::string> tokens = lease.in_doubt_tokens;
  tokens.push_back(lease.token);
  return {kRelease,
          {lease.key, array_of(tokens), storable(reason.error), worker.process, worker.host,
           name_of(reason.word)}};
}

pg::Query park(const Lease& lease, const Worker& worker, const std::string& error) {
  return {kPark, {lease.key_id, lease.token, storable(error), worker.process, worker.host}};
}

std::vector<pg::Statement> key_statements() {
  std::vector<pg::Statement> all{kFinish, kRelease, kPark};
  for (const pg::Statement& each : history_statements()) all.push_back(each);
  return all;
}

}  // namespace rocket::idempotency
