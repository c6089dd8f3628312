#include "spec/integration/breakages.h"

#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "spec/support/api_process.h"
#include "spec/support/requests.h"

namespace rocket::spec {
namespace {

std::string spoil_answer(const std::string& key) {
  return "UPDATE idempotency_keys SET response_body = 'no JSON' WHERE id = '" + key + "'";
}

// Makes the key look unfinished, and not used for the time `untouched`.
std::string reopen(const std::string& key, const std::string& recovery_point,
                   const std::string& untouched = "0 s") {
  return "UPDATE idempotency_keys SET recovery_point = '" + recovery_point +
         "', finished_at = NULL, response_code = NULL, response_body = NULL, created_at = now() - interval "
         "'" +
         untouched + "', last_run_at = now() - interval '" + untouched + "' WHERE id = '" + key + "'";
}

std::string stage(const std::string& job, const std::string& ride, int times = 1) {
  return "INSERT INTO staged_jobs (job_name, job_args) SELECT '" + job + "', jsonb_build_object('ride_id', " +
         ride + ") FROM generate_series(1, " + std::to_string(times) + ")";
}

// An operator ends the request for good.
std::string close_by_operator(const std::string& key, int status = 410) {
  return "UPDATE idempotency_keys SET recovery_point = 'finished', finished_at = now(), response_code = " +
         std::to_string(status) +
         R"(, response_body = '{"error":"Closed.","code":"request_closed"}' WHERE id = ')" + key + "'";
}

}  // namespace

WholeDatabase::WholeDatabase() {
  const ApiProcess api(database_, {{"MOCK_LEDGER", ledger_.path()}});
  const auto send = [&](const std::string& name, const ClientRequest& request, int status) {
    ClientResponse answer = api.send(request);
    if (answer.status != status) throw std::runtime_error(name + " was answered with " + answer.body);
    return answer.body;
  };
  const auto ride = [&](const std::string& name, int status = 201, const std::string& user = kUser,
                        const std::string& more = "") {
    return send(name, ride_request(client_key(name), user, kRideForm + more), status);
  };
  ride("ride");
  ride("other");
  ride("declined", 402, kDeclinedUser);
  ride("open", 500, kUser, "&raise_error=true");
  for (const std::string more : {"", "_too"}) {
    const auto answer = nlohmann::json::parse(ride("cancelled" + more));
    const ClientRequest cancel = cancel_request(answer.at("ride").at("id").dump());
    send("cancellation" + more, cancel.with("Idempotency-Key", client_key("cancellation" + more)), 200);
    const ClientRequest deposit = deposit_request(kUser, "20");
    send("deposit" + more, deposit.with("Idempotency-Key", client_key("deposit" + more)), 201);
    const ClientRequest tip{"POST",
                            "/rides/" + answer.at("ride").at("id").dump() + "/tips",
                            {{"Authorization", kUser},
                             {"Idempotency-Key", client_key("tip" + more)},
                             {"Content-Type", "application/json"}},
                            R"({"amount": 5})"};
    send("tip" + more, tip, 201);
  }
  name_everything();
}

void WholeDatabase::name_everything() {
  names_["{user}"] = database_.value("SELECT id FROM users WHERE email = $1", {kUser});
  const auto rows = database_.rows(R"sql(
    SELECT substring(key.idempotency_key FROM length($1) + 1) AS name, key.id, coalesce(ride.id, deposit.id, tip.id),
           ride.stripe_charge_id, ride.charge_key, refund.refund_key, max(job.job_id::text) FILTER (
             WHERE job.job_name = CASE WHEN refund.ride_id IS NULL THEN 'send_ride_receipt' ELSE 'send_refund_receipt' END)
      FROM idempotency_keys key
      LEFT JOIN rides ride ON ride.idempotency_key_id = key.id
      LEFT JOIN refunds refund ON refund.ride_id = ride.id
      LEFT JOIN deposits deposit ON deposit.idempotency_key_id = key.id
      LEFT JOIN tips tip ON tip.idempotency_key_id = key.id
      LEFT JOIN staged_jobs job ON job.job_args->>'ride_id' = ride.id::text
     GROUP BY key.id, ride.id, refund.ride_id, refund.refund_key, deposit.id, tip.id)sql",
                                   {client_key("")});
  static constexpr std::array kFields{"key", "id", "charge", "charge_key", "refund_key", "job"};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < kFields.size(); ++i) {
      if (row[i + 1]) names_['{' + *row[0] + '.' + kFields[i] + '}'] = *row[i + 1];
    }
  }
}

std::string WholeDatabase::filled_in(std::string text) const {
  for (const auto& [name, value] : names_) {
    for (auto at = text.find(name); at != std::string::npos; at = text.find(name)) {
      text.replace(at, name.size(), value);
    }
  }
  return text;
}

void WholeDatabase::drop_constraints() {
  database_.execute(R"sql(
    DO $$
    DECLARE dropped record;
    BEGIN
      FOR dropped IN SELECT CASE contypid WHEN 0 THEN 'TABLE ' || conrelid::regclass
                                          ELSE 'DOMAIN ' || contypid::regtype END AS owner, conname
                       FROM pg_constraint
                      WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'p', 'u')
                      ORDER BY contype <> 'f' LOOP
        EXECUTE format('ALTER %s DROP CONSTRAINT %I', dropped.owner, dropped.conname);
      END LOOP;
    END $$)sql");
}

const Breakages& breakages() {
  static const Breakages all{
      {"one row per user and key",
       {{"INSERT INTO idempotency_keys SELECT * FROM idempotency_keys WHERE id = '{ride.key}'",
         {"{ride.key}"}}}},
      {"one row of rides per key",
       {{"UPDATE rides SET idempotency_key_id = '{ride.key}' WHERE id = {other.id}", {"{ride.key}"}}}},
      {"a finished ride is charged, and its answer names both",
       {{"UPDATE rides SET stripe_charge_id = 'ch_another' WHERE id = {ride.id}", {"{ride.key}"}},
        {"UPDATE rides SET stripe_charge_id = NULL WHERE id = {ride.id}", {"{ride.key}"}},
        {"UPDATE rides SET id = 1000000 WHERE id = {ride.id}", {"{ride.key}"}},
        {"DELETE FROM rides WHERE id = {ride.id}", {"{ride.key}"}},
        {spoil_answer("{ride.key}"), {"{ride.key}"}}}},
      {"a refused ride is not charged",
       {{"UPDATE rides SET stripe_charge_id = 'ch_declined' WHERE id = {declined.id}", {"{declined.key}"}},
        {"DELETE FROM rides WHERE id = {declined.id}", {"{declined.key}"}}}},
      {"no two rows of rides share a stripe_charge_id",
       {{"UPDATE rides SET stripe_charge_id = 'ch_one' WHERE id IN ({ride.id}, {cancelled.id})",
         {"{ride.key}", "{cancelled.key}"}}}},
      {"no two rows of rides share a charge_key",
       {{"UPDATE rides SET charge_key = '{other.charge_key}' WHERE id = {declined.id}",
         {"{other.key}", "{declined.key}"}}}},
      {"a closed request has its one answer", {{close_by_operator("{tip_too.key}", 402), {"{tip_too.key}"}}}},
      {"a recovery point says what exists",
       {{reopen("{open.key}", "started"), {"{open.key}"}},
        {reopen("{open.key}", "charge_created"), {"{open.key}"}},
        {"UPDATE rides SET stripe_charge_id = 'ch_early' WHERE id = {open.id}", {"{open.key}"}},
        {"DELETE FROM rides WHERE id = {open.id}", {"{open.key}"}}}},
      {"one row of tips per key",
       {{"UPDATE tips SET idempotency_key_id = '{tip.key}' WHERE id = {tip_too.id}", {"{tip.key}"}}}},
      {"no two rows of tips share a charge_key",
       {{"UPDATE tips SET charge_key = one FROM gen_random_uuid() one", {"{tip.key}", "{tip_too.key}"}}}},
      {"no two rows of tips share a stripe_charge_id",
       {{"UPDATE tips SET stripe_charge_id = 'ch_one'", {"{tip.key}", "{tip_too.key}"}}}},
      {"every recovery point is known",
       {{reopen("{deposit_too.key}", "ride_created"), {"{deposit_too.key}"}},
        {reopen("{open.key}", "half_way"), {"{open.key}"}},
        {reopen("{cancellation.key}", "charge_created"), {"{cancellation.key}"}},
        {"UPDATE idempotency_keys SET request_path = '/nothing' WHERE id = '{deposit.key}'",
         {"{deposit.key}"}}}},
      {"one staged receipt per ride",
       {{stage("send_ride_receipt", "{cancelled.id}"), {"{cancelled.key}"}},
        {stage("send_ride_receipt", "NULL::int", 2), {"ride (none)"}}}},
      {"receipts are for finished, charged rides",
       {{stage("send_ride_receipt", "{open.id}"), {"{open.key}"}},
        {stage("send_ride_receipt", "{declined.id}"), {"{declined.key}"}},
        {reopen("{ride.key}", "charge_created"), {"{ride.key}"}},
        {"DELETE FROM rides WHERE id = {ride.id}", {"job {ride.job}"}}}},
      {"no two staged jobs share an id",
       {{"UPDATE staged_jobs SET job_id = '{ride.job}' WHERE job_id = '{other.job}'", {"job {ride.job}"}}}},
      {"no charge is lost", {{reopen("{ride.key}", "charge_created", "6 min"), {"{ride.key}"}}}},
      {"no unfinished request is silently lost",
       {{reopen("{deposit.key}", "started", "16 min"), {"{deposit.key}"}},
        {"UPDATE idempotency_keys SET lease = gen_random_uuid(), locked_at = now() - interval '16 min', "
         "created_at = now() - interval '16 min', last_run_at = now() - interval '16 min' "
         "WHERE id = '{open.key}'",
         {"{open.key}"}}}},
      {"no key is dropped early",
       {{"DELETE FROM idempotency_keys WHERE id = '{cancelled_too.key}'", {"{cancelled_too.key}"}},
        {"DELETE FROM idempotency_keys WHERE id = '{cancellation.key}'", {"{cancellation.key}"}},
        {"DELETE FROM idempotency_keys WHERE id = '{deposit.key}'", {"{deposit.key}"}}}},
      {"balances are the sums of deposits",
       {{"UPDATE accounts SET balance = balance + 1000", {"user {user}"}},
        {"DELETE FROM accounts", {"user {user}"}},
        {"DELETE FROM deposits", {"user {user}"}}}},
      {"one row of deposits per key",
       {{"UPDATE deposits SET idempotency_key_id = '{deposit.key}' WHERE id = {deposit_too.id}",
         {"{deposit.key}"}}}},
      {"a finished deposit is made, and its answer names it",
       {{"UPDATE idempotency_keys SET response_code = 422 WHERE id = '{deposit.key}'", {"{deposit.key}"}},
        {"UPDATE deposits SET amount = amount + 1 WHERE id = {deposit.id}", {"{deposit.key}"}},
        {"DELETE FROM deposits WHERE id = {deposit.id}", {"{deposit.key}"}},
        {spoil_answer("{deposit.key}"), {"{deposit.key}"}},
        {reopen("{deposit.key}", "started"), {"{deposit.key}"}}}},
      {"one refund per ride",
       {{"INSERT INTO refunds (ride_id, idempotency_key_id, stripe_charge_id) "
         "SELECT ride_id, gen_random_uuid(), stripe_charge_id FROM refunds WHERE ride_id = {cancelled.id}",
         {"ride {cancelled.id}"}}}},
      {"a refund is of its ride's charge",
       {{"UPDATE refunds SET stripe_charge_id = 'ch_another' WHERE ride_id = {cancelled.id}",
         {"ride {cancelled.id}"}},
        {"UPDATE refunds SET ride_id = {declined.id} WHERE ride_id = {cancelled.id}",
         {"ride {declined.id}"}}}},
      {"no charge is refunded twice",
       {{"UPDATE refunds SET stripe_charge_id = 'ch_one'",
         {"ride {cancelled.id}", "ride {cancelled_too.id}"}}}},
      {"one row of refunds per key",
       {{"UPDATE refunds SET idempotency_key_id = '{cancellation.key}' WHERE ride_id = {cancelled_too.id}",
         {"{cancellation.key}"}}}},
      {"no two rows of refunds share a refund_key",
       {{"UPDATE refunds SET refund_key = id FROM gen_random_uuid() id",
         {"{cancellation.key}", "{cancellation_too.key}"}}}},
      {"no two rows of refunds share a stripe_refund_id",
       {{"UPDATE refunds SET stripe_refund_id = 're_one'",
         {"{cancellation.key}", "{cancellation_too.key}"}}}},
      {"a cancelled ride is refunded, and its answer names both",
       {{"UPDATE refunds SET stripe_refund_id = 're_another' WHERE ride_id = {cancelled.id}",
         {"{cancellation.key}"}},
        {"UPDATE refunds SET stripe_refund_id = NULL WHERE ride_id = {cancelled.id}", {"{cancellation.key}"}},
        {"DELETE FROM refunds WHERE ride_id = {cancelled.id}", {"{cancellation.key}"}},
        {"UPDATE idempotency_keys SET request_path = '/rides/{cancelled_too.id}' "
         "WHERE id = '{cancellation.key}'",
         {"{cancellation.key}"}},
        {spoil_answer("{cancellation.key}"), {"{cancellation.key}"}},
        {"WITH gone AS (DELETE FROM refunds WHERE ride_id = {cancelled.id}) " +
             reopen("{cancellation.key}", "refund_prepared"),
         {"{cancellation.key}"}},
        {"WITH undone AS (UPDATE refunds SET stripe_refund_id = NULL WHERE ride_id = {cancelled.id}) " +
             reopen("{cancellation.key}", "refund_created"),
         {"{cancellation.key}"}}}},
      {"one refund receipt per ride",
       {{stage("send_refund_receipt", "{cancelled.id}"), {"ride {cancelled.id}"}},
        {stage("send_refund_receipt", "NULL::int", 2), {"ride (none)"}}}},
      {"every refund receipt is for a refund",
       {{"UPDATE refunds SET stripe_refund_id = NULL WHERE ride_id = {cancelled_too.id}",
         {"job {cancelled_too.job}"}},
        {"DELETE FROM refunds WHERE ride_id = {cancelled.id}", {"job {cancelled.job}"}}}},
      {"every ride, cancellation and deposit is audited once",
       {{"DELETE FROM audit_records WHERE action = 'created' AND resource_type = 'ride' "
         "AND resource_id = {declined.id}",
         {"{declined.key}"}},
        {"DELETE FROM audit_records WHERE action = 'cancelled' AND resource_id = {cancelled.id}",
         {"{cancellation.key}"}},
        {"INSERT INTO audit_records (action, resource_type, resource_id, user_id, data) "
         "SELECT action, resource_type, resource_id, user_id, data FROM audit_records "
         "WHERE resource_type = 'deposit' AND resource_id = {deposit.id}",
         {"{deposit.key}"}}}},
  };
  return all;
}

const std::vector<std::string>& harmless_changes() {
  static const std::vector<std::string> all{
      // Parked.
      "UPDATE idempotency_keys SET parked_at = now(), last_error = 'spec', "
      "created_at = now() - interval '1 day', last_run_at = now() - interval '1 day' WHERE id = '{open.key}'",
      // Old, but a process is working on it.
      "UPDATE idempotency_keys SET lease = gen_random_uuid(), locked_at = now() - interval '80 s', "
      "created_at = now() - interval '1 day', last_run_at = now() - interval '1 day' WHERE id = '{open.key}'",
      // Tried so often that the next pause is one hour.
      "UPDATE idempotency_keys SET completions = 10, created_at = now() - interval '1 day', "
      "last_run_at = now() - interval '59 min' WHERE id = '{open.key}'",
      // Due for a short time only.
      reopen("{cancellation.key}", "refund_created", "14 min"),
      "WITH unstaged AS (DELETE FROM staged_jobs WHERE job_id = '{ride.job}') " +
          reopen("{ride.key}", "charge_created", "5 min 10 s"),
      // Closed, without a charge and with one.
      close_by_operator("{open.key}"),
      "WITH charged AS (UPDATE rides SET stripe_charge_id = 'ch_kept' WHERE id = {open.id}) " +
          close_by_operator("{open.key}"),
      // Delivered.
      "DELETE FROM staged_jobs",
      // Reaped.
      "WITH old AS (UPDATE rides SET created_at = now() - interval '73 h' WHERE id = {ride.id}) "
      "DELETE FROM idempotency_keys WHERE id = '{ride.key}'",
      // The provider has not refunded it yet.
      "WITH undone AS (UPDATE refunds SET stripe_refund_id = NULL WHERE ride_id = {cancelled.id}), "
      "unstaged AS (DELETE FROM staged_jobs WHERE job_id = '{cancelled.job}') " +
          reopen("{cancellation.key}", "refund_prepared"),
  };
  return all;
}

}  // namespace rocket::spec
