#include "endpoints/deposits.h"

namespace rocket::endpoints {
namespace {

// started → finished
constexpr pg::Statement kDeposit{"deposit", R"sql(
WITH fenced AS MATERIALIZED (
  SELECT id, user_id, origin_ip, request_params, (request_params->>'amount')::bigint AS amount
    FROM idempotency_keys
   WHERE id = $1 AND lease = $2 AND recovery_point = 'started'
     FOR UPDATE
), account AS (
  INSERT INTO accounts AS a (user_id, balance) SELECT user_id, amount FROM fenced
  ON CONFLICT (user_id) DO UPDATE SET balance = a.balance + excluded.balance
  RETURNING user_id, balance
), deposit AS (
  INSERT INTO deposits (idempotency_key_id, user_id, amount) SELECT id, user_id, amount FROM fenced
  RETURNING id
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data)
  SELECT 'created', 'deposit', deposit.id, fenced.user_id, fenced.origin_ip, fenced.request_params
    FROM deposit, fenced
), key AS (
  UPDATE idempotency_keys k
     SET recovery_point = 'finished', finished_at = now(), last_run_at = now(), lease = NULL, locked_at = NULL,
         response_code = 201,
         response_body = (SELECT to_json(answer) FROM
           (SELECT 'Deposit accepted.' AS message, to_json(made) AS deposit FROM
             (SELECT deposit.id, fenced.amount, account.balance, 'usd' AS currency
                FROM deposit, account) made) answer)
    FROM fenced
   WHERE k.id = fenced.id
  RETURNING k.recovery_point, k.response_code, k.response_body
)
SELECT recovery_point, response_code, response_body FROM key
)sql"};

}  // namespace

idempotency::Flow deposit_flow() {
  return {"POST",
          "/deposits",
          {R"({"amount": 5})"},
          {{"started", idempotency::LocalPhase{kDeposit}}},
          // Every deposit of a user locks that user's account.
          true};
}

}  // namespace rocket::endpoints
