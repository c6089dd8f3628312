#include "rocket/idempotency/compose.h"

namespace rocket::idempotency {
namespace {

// Recovery points are names of ours.
std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

// The fence: the rows of the keys whose lease is ours and which stand where the statement begins. They are
// locked in the order of the batch, so two batches cannot deadlock.
std::string fence(std::string_view recovery_point, bool is_answered) {
  std::string sql = R"sql(
WITH key AS MATERIALIZED (
  SELECT due.*, k.user_id, k.request_path, k.request_params, k.origin_ip, k.traceparent, k.resumed_at
    FROM unnest($1::uuid[], $2::uuid[])sql";
  sql += is_answered ? ", $3::text[]) WITH ORDINALITY AS due (id, lease, recorded, n)"
                     : ") WITH ORDINALITY AS due (id, lease, n)";
  sql += "\n    JOIN idempotency_keys k ON k.id = due.id AND k.lease = due.lease AND k.recovery_point = ";
  return sql + quoted(recovery_point) + "\n   ORDER BY due.n\n     FOR UPDATE OF k\n)";
}

constexpr std::string_view kFinish = R"sql(
, done AS (
  UPDATE idempotency_keys k
     SET recovery_point = 'finished', finished_at = now(), last_run_at = now(), lease = NULL, locked_at = NULL,
         response_code = answer.status, response_body = answer.body
    FROM answer
   WHERE k.id = answer.key_id
  RETURNING answer.n, k.recovery_point, k.response_code, k.response_body
)
SELECT done.*, NULL::text AS refusal FROM done
 WHERE )sql";

// A condition that holds, or else ends the statement with an error, so that nothing of it takes effect.
// Otherwise a key without a row would stay where it is, although the bodies have done their work for it.
//
// The text is no boolean. It has a number in it, because the planner would evaluate a constant at once.
std::string check_that(const std::string& condition) {
  return "CASE WHEN " + condition +
         "\n       THEN true ELSE ('the flow must give one row for each key, here for ' ||"
         " (SELECT count(*) FROM key))::boolean END";
}

// If one key had two rows and another one none, the batch would notice; see pg::Batch.
constexpr std::string_view kCallsAndKeysAgree = "(SELECT count(*) FROM call) = (SELECT count(*) FROM key)";

// An answer with two rows for one key ends the key once.
constexpr std::string_view kAnswersAndKeysAgree =
    "(SELECT count(*) FROM done) = ALL (ARRAY[(SELECT count(*) FROM answer), (SELECT count(*) FROM key)";

constexpr std::string_view kWithoutRefused = " - (SELECT count(*) FROM gone)";

constexpr std::string_view kNoAnswer =
    "NULL::smallint AS response_code, NULL::text AS response_body, NULL::text AS refusal";

constexpr std::string_view kRefuse = R"sql(
, gone AS (
  DELETE FROM idempotency_keys k USING refused WHERE k.id = refused.key_id
  RETURNING refused.n, refused.refusal, k.id
), forgotten AS (
  DELETE FROM key_attempts a USING gone WHERE a.key_id = gone.id
))sql";

constexpr std::string_view kRefused = R"sql(
UNION ALL
SELECT gone.n, NULL, NULL, NULL, gone.refusal FROM gone)sql";

// Atomic under READ COMMITTED. If several claims of one key come at once, the unique index lets one of them
// insert. The others wait for its commit and then see its row in DO UPDATE, where the WHERE clause decides.
// Claims of different keys touch different rows.
//
// If the claim does not get the lease, `verdict` says why. It reads an older snapshot than the insertion, so
// for a moment it may see no key at all, or a free one. Then the caller claims again.
//
// All times are the database's, so the clocks of the processes need not agree.
constexpr std::string_view kClaimUntilOwner = R"sql(
WITH asked AS MATERIALIZED (
  SELECT asked.*, owner.id AS user_id
    FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::inet[], $8::uuid[],
                $9::int[], $10::text[], $11::bool[], $12::text[]) WITH ORDINALITY
         AS asked (credential, id, key, method, path, params, origin_ip, lease, lease_time, in_doubt_tokens, takes,
                   traceparent, n)
    LEFT JOIN LATERAL ()sql";
constexpr std::string_view kClaimBehindOwner = R"sql() AS owner (id) ON true
), claimed AS (
  INSERT INTO idempotency_keys AS k
         (id, user_id, idempotency_key, request_method, request_path, request_params, origin_ip, traceparent, lease,
          locked_at, recovery_point)
  SELECT id, user_id, key, method, path, params, origin_ip, traceparent, lease, now(), )sql";
constexpr std::string_view kClaimBehindPoint = R"sql(
    FROM asked WHERE user_id IS NOT NULL AND takes ORDER BY n
  ON CONFLICT (user_id, idempotency_key) DO UPDATE
     SET lease = excluded.lease,
         locked_at = now(),
         last_run_at = now(),
         traceparent = excluded.traceparent,
         attempts = k.attempts + (k.lease IS DISTINCT FROM excluded.lease)::int
   WHERE k.finished_at IS NULL
     AND k.parked_at IS NULL
     AND (k.lease IS NULL OR k.lease = excluded.lease
          OR k.lease IN (SELECT unnest(in_doubt_tokens::uuid[]) FROM asked)
          OR k.locked_at < now() - make_interval(secs => (SELECT max(lease_time) FROM asked)))
     AND k.request_method = excluded.request_method
     AND k.request_path = excluded.request_path
     AND k.request_params = excluded.request_params
  -- An attempt whose commit was in doubt claims again with the same id. Then an earlier transaction made the row.
  RETURNING k.id, k.lease, k.recovery_point, k.created_at = now() AS is_young
))sql";

constexpr std::string_view kVerdict = R"sql(
, verdict AS (
  SELECT asked.n, 'claimed' AS verdict, claimed.id, claimed.recovery_point,
         NULL::smallint AS response_code, NULL AS response_body
    FROM asked JOIN claimed ON claimed.lease = asked.lease)sql";

constexpr std::string_view kVerdictOnOthers = R"sql(
  UNION ALL
  SELECT asked.n,
         CASE WHEN asked.user_id IS NULL THEN 'unknown_owner'
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
))sql";

constexpr std::string_view kVerdictOnly = "\nSELECT verdict.*, false AS is_new FROM verdict\n";

// The keys that this statement has made.
constexpr std::string_view kNewKeys = R"sql(
, key AS MATERIALIZED (
  SELECT asked.n, asked.id, asked.user_id, asked.path AS request_path, asked.params AS request_params,
         asked.origin_ip, asked.traceparent, NULL::timestamptz AS resumed_at
    FROM asked JOIN claimed ON claimed.lease = asked.lease
   WHERE claimed.is_young AND claimed.id = asked.id
   ORDER BY asked.n
))sql";

constexpr std::string_view kOfOldKeys = "\n   WHERE NOT (claimed.is_young AND claimed.id = asked.id)";

// The last join gives the columns of the call, all NULL.
constexpr std::string_view kCall = R"sql( AS recovery_point,
       NULL::smallint AS response_code, NULL::text AS response_body, true AS is_new, call.*
  FROM call
 WHERE )sql";
constexpr std::string_view kOrVerdict = R"sql(
UNION ALL
SELECT verdict.*, false, call.* FROM verdict LEFT JOIN call ON false
)sql";

std::string call_of(const ForeignPhase& phase) { return "\n, call AS (" + std::string(phase.needs) + ")"; }

std::string move_to(std::string_view point, bool may_refuse) {
  return "\n, moved AS (\n  UPDATE idempotency_keys k SET recovery_point = " + quoted(point) +
         "\n    FROM key WHERE k.id = key.id" +
         (may_refuse ? " AND key.id NOT IN (SELECT key_id FROM refused)" : "") + "\n  RETURNING key.n\n)";
}

std::string row_at(std::string_view point, const std::string& table) {
  return "\nSELECT " + table + ".n, " + quoted(point) + " AS recovery_point, " + std::string(kNoAnswer);
}

struct AppendEnd {
  const StatementParts& parts;
  std::string& sql;

  std::string refuse() const { return std::string(parts.may_refuse ? kRefuse : ""); }
  std::string refused() const { return std::string(parts.may_refuse ? kRefused : ""); }

  void operator()(const UntilFinished& end) const {
    sql += "\n, answer AS (SELECT " + std::to_string(end.answer->status) + " AS status, made.* FROM (" +
           end.answer->body + ") made)";
    sql += refuse();
    sql.append(kFinish);
    std::string agree(kAnswersAndKeysAgree);
    if (parts.may_refuse) agree.append(kWithoutRefused);
    sql += check_that(agree + "])") + refused();
  }
  void operator()(const UntilCall& end) const {
    sql += call_of(*end.call);
    if (end.recovery_point != parts.recovery_point) sql += move_to(end.recovery_point, false);
    sql += row_at(end.recovery_point, "call") + ", call.*\n  FROM call\n WHERE ";
    sql += check_that(std::string(kCallsAndKeysAgree));
  }
  void operator()(const UntilPoint& end) const {
    sql += refuse() + move_to(end.recovery_point, parts.may_refuse);
    sql += row_at(end.recovery_point, "moved") + "\n  FROM moved" + refused();
  }
};

void append_bodies(std::string& sql, std::span<const std::string_view> bodies) {
  for (std::string_view body : bodies) {
    if (body.empty()) continue;
    if (body.front() == '\n') body.remove_prefix(1);
    sql.append("\n, ").append(body);
  }
}

}  // namespace

std::string compose(const StatementParts& parts) {
  std::string sql = fence(parts.recovery_point, parts.is_answered);
  append_bodies(sql, parts.bodies);
  std::visit(AppendEnd{parts, sql}, parts.end);
  return sql + '\n';
}

std::string compose_claim(std::string_view owner, std::string_view recovery_point,
                          std::span<const std::string_view> bodies, const ForeignPhase* call) {
  std::string sql(kClaimUntilOwner);
  sql.append(owner).append(kClaimBehindOwner).append(quoted(recovery_point));
  sql.append(kClaimBehindPoint).append(kVerdict);
  if (call == nullptr) return sql.append(kVerdictOnOthers).append(kVerdictOnly);
  sql.append(kOfOldKeys).append(kVerdictOnOthers).append(kNewKeys);
  append_bodies(sql, bodies);
  sql.append(call_of(*call)).append("\nSELECT call.n, 'claimed' AS verdict, call.key_id AS id, ");
  sql.append(quoted(recovery_point)).append(kCall).append(check_that(std::string(kCallsAndKeysAgree)));
  return sql.append(kOrVerdict);
}

}  // namespace rocket::idempotency
