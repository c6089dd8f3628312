#include "idempotency/keys.h"

#include <stdexcept>

namespace rocket::idempotency {
namespace {

// Atomic under READ COMMITTED. If several claims of one key come at once, the unique index lets one of them
// insert. The others wait for its commit and then see its row in DO UPDATE, where the WHERE clause decides.
// Claims of different keys touch different rows.
//
// If the claim does not get the lease, the last part says why. It reads an older snapshot than the insertion,
// so for a moment it may see no key at all, or a free one. Then the caller claims again.
//
// All times are the database's, so the clocks of the processes need not agree.
constexpr pg::SetStatement kClaim{"claim_keys", R"sql(
WITH asked AS MATERIALIZED (
  SELECT asked.*, users.id AS user_id
    FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::inet[], $8::uuid[],
                $9::int[], $10::text[], $11::bool[]) WITH ORDINALITY
         AS asked (email, id, key, method, path, params, origin_ip, lease, lease_time, in_doubt_tokens, takes, n)
    LEFT JOIN users ON users.email = asked.email
), claimed AS (
  INSERT INTO idempotency_keys AS k
         (id, user_id, idempotency_key, request_method, request_path, request_params, origin_ip, lease, locked_at)
  SELECT id, user_id, key, method, path, params, origin_ip, lease, now()
    FROM asked WHERE user_id IS NOT NULL AND takes ORDER BY n
  ON CONFLICT (user_id, idempotency_key) DO UPDATE
     SET lease = excluded.lease,
         locked_at = now(),
         last_run_at = now(),
         attempts = k.attempts + (k.lease IS DISTINCT FROM excluded.lease)::int
   WHERE k.finished_at IS NULL
     AND k.parked_at IS NULL
     AND (k.lease IS NULL OR k.lease = excluded.lease
          OR k.lease IN (SELECT unnest(in_doubt_tokens::uuid[]) FROM asked)
          OR k.locked_at < now() - make_interval(secs => (SELECT max(lease_time) FROM asked)))
     AND k.request_method = excluded.request_method
     AND k.request_path = excluded.request_path
     AND k.request_params = excluded.request_params
  RETURNING k.id, k.lease, k.recovery_point
)
SELECT asked.n, 'claimed' AS verdict, claimed.id, claimed.recovery_point,
       NULL::int AS response_code, NULL AS response_body
  FROM asked JOIN claimed ON claimed.lease = asked.lease
UNION ALL
SELECT asked.n,
       CASE WHEN asked.user_id IS NULL THEN 'unknown_user'
            WHEN k.id IS NULL THEN 'claim_again'
            WHEN k.request_method <> asked.method OR k.request_path <> asked.path
              OR k.request_params <> asked.params THEN 'reused'
            WHEN k.finished_at IS NOT NULL THEN 'finished'
            WHEN k.parked_at IS NOT NULL THEN 'parked'
            WHEN k.lease <> ALL (asked.lease || in_doubt_tokens::uuid[])
             AND k.locked_at >= now() - make_interval(secs => lease_time) THEN 'in_progress'
            ELSE 'claim_again' END,
       k.id, k.recovery_point, k.response_code, k.response_body
  FROM asked LEFT JOIN idempotency_keys k ON k.user_id = asked.user_id AND k.idempotency_key = asked.key
 WHERE asked.lease NOT IN (SELECT lease FROM claimed)
)sql"};

constexpr pg::Statement kFinish{"finish_key", R"sql(
UPDATE idempotency_keys
   SET recovery_point = 'finished', response_code = $4::int, response_body = $5,
       finished_at = now(), last_run_at = now(), lease = NULL, locked_at = NULL
 WHERE id = $1 AND lease = $2 AND recovery_point = $3
RETURNING recovery_point, response_code, response_body
)sql"};

// Finds the row by user and key, not by id: after a claim in doubt the id may not be known.
constexpr pg::Statement kRelease{"release_key", R"sql(
UPDATE idempotency_keys
   SET lease = NULL, locked_at = NULL, last_run_at = now(), last_error = left($4, 500)
 WHERE user_id = (SELECT id FROM users WHERE email = $1) AND idempotency_key = $2
   AND lease = ANY ($3::uuid[])
)sql"};

constexpr pg::Statement kPark{"park_key", R"sql(
UPDATE idempotency_keys
   SET lease = NULL, locked_at = NULL, last_run_at = now(), parked_at = now(), last_error = left($4, 500)
 WHERE user_id = (SELECT id FROM users WHERE email = $1) AND idempotency_key = $2 AND lease = $3
)sql"};

// UUIDs need no quoting inside an array.
std::string array_of(const std::vector<std::string>& uuids) {
  std::string array = "{";
  for (const std::string& uuid : uuids) {
    if (array.size() > 1) array += ',';
    array += uuid;
  }
  return array + '}';
}

enum class Claiming { kTakes, kOnlyLooks };

pg::Query claim(const Request& request, const Lease& lease, std::chrono::seconds lease_time,
                Claiming claiming) {
  return {kClaim,
          {request.user_email, lease.key_id, request.key, request.method, request.path, request.params,
           request.origin_ip, lease.token, std::to_string(lease_time.count()),
           array_of(lease.in_doubt_tokens), claiming == Claiming::kTakes ? "true" : "false"}};
}

}  // namespace

pg::Query claim(const Request& request, const Lease& lease, std::chrono::seconds lease_time) {
  return claim(request, lease, lease_time, Claiming::kTakes);
}

pg::Query look_up(const Request& request, std::chrono::seconds lease_time) {
  Lease nobodys;
  nobodys.key_id = nobodys.token = "00000000-0000-0000-0000-000000000000";
  return claim(request, nobodys, lease_time, Claiming::kOnlyLooks);
}

ClaimResult read_claim(const pg::Result& result, const Lease& lease) {
  if (result.empty()) return ClaimAgain{};
  const std::string_view verdict = result.text(0, "verdict");
  if (verdict == "claimed") {
    return Claimed{std::string(result.text(0, "id")), std::string(result.text(0, "recovery_point"))};
  }
  if (verdict == "finished") {
    // If the id is ours, this attempt has made or claimed the key before, and its own commit in doubt has
    // finished it. The client has not seen the answer, so it is no replay.
    const bool replayed = result.text(0, "id") != lease.key_id;
    return Response{static_cast<int>(result.integer(0, "response_code")),
                    std::string(result.text(0, "response_body")), replayed};
  }
  if (verdict == "claim_again") return ClaimAgain{};
  if (verdict == "reused") return Refusal{RefusalKind::kKeyReused};
  if (verdict == "in_progress") return Refusal{RefusalKind::kInProgress};
  if (verdict == "parked") return Refusal{RefusalKind::kParked};
  if (verdict == "unknown_user") return Refusal{RefusalKind::kUnknownUser};
  throw std::logic_error("unknown verdict on a claim");
}

pg::Query finish(const Lease& lease, const std::string& recovery_point, int status, const std::string& body) {
  return {kFinish, {lease.key_id, lease.token, recovery_point, std::to_string(status), body}};
}

pg::Query release(const Lease& lease, const std::string& error) {
  std::vector<std::string> tokens = lease.in_doubt_tokens;
  tokens.push_back(lease.token);
  return {kRelease, {lease.user_email, lease.key, array_of(tokens), error}};
}

pg::Query park(const Lease& lease, const std::string& error) {
  return {kPark, {lease.user_email, lease.key, lease.token, error}};
}

std::string lock_key_of(const Lease& lease) { return lease.key + ' ' + lease.user_email; }

std::vector<pg::Statement> key_statements() { return {kClaim, kFinish, kRelease, kPark}; }

}  // namespace rocket::idempotency
