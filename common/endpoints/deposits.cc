#include "endpoints/deposits.h"

namespace rocket::endpoints {
namespace {

// started → finished
//
// Accounts are locked in the order of their user ids, and only after the keys, so that two batches cannot
// deadlock. If a batch has several deposits of one user, each answer has the balance after its own deposit.
constexpr pg::SetStatement kDeposit{"deposit", R"sql(
WITH fenced AS MATERIALIZED (
  SELECT due.n, k.id, k.user_id, k.origin_ip, k.request_params, (k.request_params->>'amount')::bigint AS amount
    FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS due (id, lease, n)
    JOIN idempotency_keys k ON k.id = due.id AND k.lease = due.lease AND k.recovery_point = 'started'
   ORDER BY due.n
     FOR UPDATE OF k
), account AS (
  INSERT INTO accounts AS a (user_id, balance)
  SELECT user_id, sum(amount) FROM fenced GROUP BY user_id ORDER BY user_id
  ON CONFLICT (user_id) DO UPDATE SET balance = a.balance + excluded.balance
  RETURNING user_id, balance
), deposit AS (
  INSERT INTO deposits (idempotency_key_id, user_id, amount) SELECT id, user_id, amount FROM fenced ORDER BY n
  RETURNING id, idempotency_key_id
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data)
  SELECT 'created', 'deposit', deposit.id, fenced.user_id, fenced.origin_ip, fenced.request_params
    FROM deposit JOIN fenced ON fenced.id = deposit.idempotency_key_id
), made AS (
  SELECT fenced.n, fenced.id AS key_id, deposit.id, fenced.amount,
         (account.balance - coalesce(sum(fenced.amount) OVER later, 0))::bigint AS balance
    FROM fenced
    JOIN deposit ON deposit.idempotency_key_id = fenced.id
    JOIN account ON account.user_id = fenced.user_id
  WINDOW later AS (PARTITION BY fenced.user_id ORDER BY fenced.n
                   ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
), key AS (
  UPDATE idempotency_keys k
     SET recovery_point = 'finished', finished_at = now(), last_run_at = now(), lease = NULL, locked_at = NULL,
         response_code = 201,
         response_body = (SELECT to_json(answer) FROM
           (SELECT 'Deposit accepted.' AS message, to_json(deposited) AS deposit FROM
             (SELECT made.id, made.amount, made.balance, 'usd' AS currency) deposited) answer)
    FROM made
   WHERE k.id = made.key_id
  RETURNING made.n, k.recovery_point, k.response_code, k.response_body
)
SELECT n, recovery_point, response_code, response_body FROM key
)sql"};

}  // namespace

Endpoint deposits() {
  return {.method = "POST",
          .path = http::PathPattern("/deposits"),
          .parameters = {{"amount", Integer{1, 100'000}}},
          .key = KeyRule::kOptional,
          // A deposit has no page of its own. The account shows what it has changed.
          .location = http::PathPattern("/account"),
          .flow = {.steps = {{"started", idempotency::LocalPhase{kDeposit}}}},
          .effects = {{"deposits"}},
          .example = {R"({"amount": 5})"}};
}

}  // namespace rocket::endpoints
