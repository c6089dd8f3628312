#include "rocket/endpoints/deposits.h"

#include "rocket/endpoints/credentials.h"

namespace rocket::endpoints {
namespace {

// started → finished
//
// Accounts are locked in the order of their user ids, and only after the keys, so that two batches cannot
// deadlock. If a batch has several deposits of one user, each answer has the balance after its own deposit.
constexpr idempotency::Body kDeposit{R"sql(
wanted AS (
  SELECT key.*, (request_params->>'amount')::bigint AS amount FROM key
), account AS (
  INSERT INTO accounts AS a (user_id, balance)
  SELECT user_id, sum(amount) FROM wanted GROUP BY user_id ORDER BY user_id
  ON CONFLICT (user_id) DO UPDATE SET balance = a.balance + excluded.balance
  RETURNING user_id, balance
), deposit AS (
  INSERT INTO deposits (idempotency_key_id, user_id, amount) SELECT id, user_id, amount FROM wanted ORDER BY n
  RETURNING id, idempotency_key_id
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data)
  SELECT 'created', 'deposit', deposit.id, wanted.user_id, wanted.origin_ip, wanted.request_params
    FROM deposit JOIN wanted ON wanted.id = deposit.idempotency_key_id
), deposited AS (
  SELECT wanted.n, wanted.id AS key_id, deposit.id, wanted.amount,
         (account.balance - coalesce(sum(wanted.amount) OVER later, 0))::bigint AS balance
    FROM wanted
    JOIN deposit ON deposit.idempotency_key_id = wanted.id
    JOIN account ON account.user_id = wanted.user_id
  WINDOW later AS (PARTITION BY wanted.user_id ORDER BY wanted.n
                   ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
))sql"};

constexpr const char* kAnswer = R"sql(
  SELECT n, key_id, (SELECT to_json(answer) FROM
           (SELECT 'Deposit accepted.' AS message, to_json(deposit) AS deposit FROM
             (SELECT deposited.id, deposited.amount, deposited.balance, 'usd' AS currency) deposit) answer) AS body
    FROM deposited
)sql";

}  // namespace

Endpoint deposits() {
  return {.method = "POST",
          .path = http::PathPattern("/deposits"),
          .parameters = {{"amount", Integer{1, 100'000}}},
          .key = KeyRule::kOptional,
          // A deposit has no page of its own. The account shows what it has changed.
          .location = http::PathPattern("/account"),
          .flow = idempotency::Flow({.name = "deposit",
                                     .owner = kWriterOfCredential.data(),
                                     .steps = {{"started", idempotency::LocalPhase{kDeposit}}},
                                     .answer = {201, kAnswer}}),
          .effects = {{"deposits"}},
          .example = {R"({"amount": 5})"}};
}

}  // namespace rocket::endpoints
