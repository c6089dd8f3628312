#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rocket/idempotency/keys.h"
#include "rocket/pg/query.h"

// The history of a key: the table key_attempts. Each attempt that ends without finishing its key has a row,
// and so has the later attempt that finishes it. So an attempt is lost if it is over and has no row; whoever
// writes the next row of the key writes that one too. A key that succeeds at its first attempt has no row,
// and its statements know nothing of all this.
namespace rocket::idempotency {

// How many rows of a key are kept. When there are more, the oldest go.
inline constexpr int kKeptAttempts = 100;

// A part of an SQL statement: common table expressions that write the history of keys. They draw on a table
// `ended` with a row for each key: key_id, attempts and recovery_point as in the key's row, and
//   unheard: the last attempt that must be lost unless it has a row,
//   process, host, to_point, outcome, reason, error: the row to write. No such row is written if outcome is
//   NULL.
// The statement must have locked the rows of the keys.
inline constexpr char kTellHistorySql[] = R"sql(
, told AS MATERIALIZED (
  SELECT ended.*, coalesce(latest.attempt, 0) AS told, coalesce(latest.to_point, 'started') AS from_point
    FROM ended
    LEFT JOIN LATERAL (SELECT attempt, to_point FROM key_attempts a WHERE a.key_id = ended.key_id
                        ORDER BY a.id DESC LIMIT 1) latest ON true
), forgotten AS (
  DELETE FROM key_attempts a
   USING told, LATERAL (SELECT id FROM key_attempts b WHERE b.key_id = told.key_id
                         ORDER BY b.id DESC OFFSET greatest(99 - (told.unheard - told.told), 0) LIMIT 1) surplus
   WHERE a.key_id = told.key_id AND a.id <= surplus.id
), lost AS (
  SELECT told.key_id, attempt, CASE attempt WHEN told.told + 1 THEN told.from_point ELSE recovery_point END AS from_point,
         recovery_point AS to_point
    FROM told, generate_series(greatest(told.told + 1, told.unheard - 98), told.unheard) attempt
), history AS (
  INSERT INTO key_attempts (key_id, attempt, process, host, from_point, to_point, outcome, reason, error)
  SELECT key_id, attempt, NULL, NULL, from_point, to_point, 'lost', NULL, NULL FROM lost
  UNION ALL
  SELECT key_id, attempts, nullif(process, ''), nullif(host, ''),
         CASE WHEN told < unheard THEN recovery_point ELSE from_point END, to_point, outcome, reason, left(error, 500)
    FROM told WHERE outcome IS NOT NULL
))sql";

// For the first transaction of an attempt that is not the first one of its key, before it changes the key:
// writes which attempts were lost. If the transaction finishes the key, it also writes that. Does nothing
// unless the lease holds the key and the key stands at `recovery_point`. Has no rows.
pg::Query tell_retry(const Lease& lease, const Worker& worker, std::string_view recovery_point,
                     bool finishes);

// All statements of the above.
std::vector<pg::Statement> history_statements();

}  // namespace rocket::idempotency
