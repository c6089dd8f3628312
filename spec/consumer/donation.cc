#include "donation.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

namespace donations {
namespace {

using namespace rocket;

// Stripe forgets keys after 24 hours. After that, the same key would charge again.
constexpr std::chrono::hours kKeysAreKept{20};

// started → donation_created
//
// For a new key, `makes` runs in the same statement that claims the key. `reads` takes its place when the
// work goes on later, perhaps in another process.
constexpr idempotency::Body kCreateDonation{R"sql(
donation AS MATERIALIZED (
  SELECT n, id AS key_id, nextval('donations_id_seq') AS id, gen_random_uuid() AS charge_key, now() AS created_at,
         (request_params->>'ride_id')::bigint AS ride_id,
         (request_params->>'amount_cents')::bigint / 20 AS amount_cents
    FROM key
), created AS (
  INSERT INTO donations (id, idempotency_key_id, ride_id, amount_cents, charge_key, created_at)
  SELECT id, key_id, ride_id, amount_cents, charge_key, created_at FROM donation
))sql",
                                            R"sql(
donation AS (
  SELECT donations.*, key.n, key.id AS key_id FROM key JOIN donations ON donations.idempotency_key_id = key.id
))sql"};

constexpr const char* kChargeNeeds = R"sql(
  SELECT n, key_id, ride_id, amount_cents, charge_key, extract(epoch FROM created_at)::bigint AS created_at,
         extract(epoch FROM now() - created_at)::bigint AS age
    FROM donation
)sql";

// donation_created → finished
constexpr idempotency::Body kRecordCharge{R"sql(
donated AS (
  UPDATE donations SET charge_id = key.recorded FROM key WHERE donations.idempotency_key_id = key.id
  RETURNING donations.*, key.n, key.id AS key_id
))sql"};

constexpr const char* kAnswer = R"sql(
  SELECT n, key_id, json_build_object('donation', id, 'charge', charge_id) AS body FROM donated
)sql";

// Called while no transaction is open. Each attempt carries the same key, so it may be repeated.
asio::awaitable<idempotency::ForeignOutcome> charge(payments::ChargeGateway& gateway,
                                                    payments::ChargeRequest request, bool key_is_old) {
  if (key_is_old) {
    const payments::LookupResult found = co_await gateway.find(request);
    if (const auto* charged = std::get_if<payments::Charged>(&found)) {
      co_return idempotency::Recorded{charged->charge_id};
    }
    if (const auto* none = std::get_if<payments::NoAnswer>(&found)) {
      co_return idempotency::Unanswered{none->reason};
    }
    if (const auto* unknown = std::get_if<payments::Unknown>(&found)) {
      co_return idempotency::NeedsPerson{unknown->reason};
    }
  }
  const payments::ChargeResult result = co_await gateway.charge(std::move(request));
  if (const auto* charged = std::get_if<payments::Charged>(&result)) {
    co_return idempotency::Recorded{charged->charge_id};
  }
  if (const auto* none = std::get_if<payments::NoAnswer>(&result)) {
    co_return idempotency::Unanswered{none->reason};
  }
  co_return idempotency::NeedsPerson{"the company's card was refused"};
}

}  // namespace

idempotency::Flow donation(payments::ChargeGateway& gateway) {
  const auto charge_company = [&gateway](const pg::Result& needed, SharedRequestIds ids) {
    payments::ChargeRequest request{
        std::string(needed.text(0, "charge_key")),
        kCompany,
        needed.integer(0, "amount_cents"),
        "usd",
        std::string(needed.text(0, "ride_id")),
        std::chrono::sys_seconds(std::chrono::seconds(needed.integer(0, "created_at"))),
        std::move(ids)};
    const bool key_is_old = std::chrono::seconds(needed.integer(0, "age")) > kKeysAreKept;
    return charge(gateway, std::move(request), key_is_old);
  };
  return idempotency::Flow(
      {.name = "donation",
       // All donations are the company's, so no credential is needed.
       .owner = "SELECT 0::bigint",
       .steps = {{"started", idempotency::LocalPhase{kCreateDonation}},
                 {"donation_created",
                  idempotency::ForeignPhase{kChargeNeeds, charge_company, kRecordCharge}}},
       .answer = {200, kAnswer}});
}

std::optional<idempotency::Request> request_of(const jobs::Job& job) {
  const auto args = nlohmann::json::parse(job.args, nullptr, false);
  if (job.name != "send_ride_receipt" || job.id.empty() || !args.is_object()) return std::nullopt;
  for (const char* name : {"ride_id", "amount_cents"}) {
    if (!args.contains(name) || !args[name].is_number_integer() || args[name] < 1) return std::nullopt;
  }
  if (args["amount_cents"] < 20) return std::nullopt;
  idempotency::Request request;
  // Another service may do something else for the same job, in the same database.
  request.key = "donation for job " + job.id;
  request.method = "POST";
  request.path = "/donations";
  request.params = args.dump();
  return request;
}

}  // namespace donations
