#include "api/laboratory.h"

#include <exception>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "api/failure.h"
#include "api/identity.h"
#include "api/queries.h"
#include "api/request_checks.h"
#include "rocket/base/text.h"
#include "rocket/endpoints/credentials.h"
#include "rocket/payments/faulty_gateway.h"
#include "rocket/payments/mock_gateway.h"

namespace rocket::api {
namespace {

constexpr std::chrono::milliseconds kFreshness{900};
constexpr std::int64_t kLedgerBytes = 262'144;

// Each part reads the end of an index and stops after a bounded number of rows.
constexpr pg::Statement kBoard{"lab_board", R"sql(
WITH unfinished AS MATERIALIZED (
  SELECT * FROM idempotency_keys
   WHERE finished_at IS NULL AND parked_at IS NULL
   ORDER BY created_at DESC LIMIT 1000
), finished AS MATERIALIZED (
  SELECT * FROM idempotency_keys
   WHERE finished_at > now() - interval '5 s'
   ORDER BY finished_at DESC LIMIT 1000
), parked AS MATERIALIZED (
  SELECT * FROM idempotency_keys WHERE parked_at IS NOT NULL ORDER BY parked_at DESC LIMIT 20
), under_way AS (
  SELECT k.id, 'user ' || k.user_id AS user, left(k.idempotency_key, 8) AS key, k.request_method || ' ' || k.request_path AS request,
         k.recovery_point AS point, k.lease IS NOT NULL AS leased, k.attempts,
         extract(epoch FROM now() - k.locked_at)::int AS lease_age_s, k.last_error AS error
    FROM (SELECT * FROM unfinished LIMIT 40) k
), ended AS (
  SELECT k.id, 'user ' || k.user_id AS user, left(k.idempotency_key, 8) AS key, k.request_method || ' ' || k.request_path AS request,
         k.attempts, k.response_code AS status
    FROM (SELECT * FROM finished LIMIT 40) k
), waiting AS (
  SELECT k.id, 'user ' || k.user_id AS user, left(k.idempotency_key, 8) AS key, k.request_method || ' ' || k.request_path AS request,
         k.recovery_point AS point, k.attempts, k.last_error AS error, k.parked_at
    FROM parked k
), first_attempts AS (
  SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - created_at) * 1000)
         AS latency
    FROM finished WHERE attempts = 1
), jobs AS MATERIALIZED (
  SELECT created_at FROM staged_jobs ORDER BY id LIMIT 1000
), workers AS (
  SELECT substr(application_name, length('rocket-rides ') + 1) AS name, count(*) AS connections,
         extract(epoch FROM now() - max(state_change))::float8 AS idle_s
    FROM pg_stat_activity
   WHERE datname = current_database() AND application_name LIKE 'rocket-rides %' AND pid <> pg_backend_pid()
   GROUP BY 1
)
SELECT json_build_object(
  'points', (SELECT coalesce(json_object_agg(recovery_point, counted), '{}') FROM
              (SELECT recovery_point, json_build_object('all', count(*), 'leased', count(lease)) AS counted
                 FROM unfinished GROUP BY 1) points),
  'leases', (SELECT count(*) FROM unfinished WHERE lease IS NOT NULL),
  'retried', (SELECT count(*) FROM unfinished WHERE attempts > 1),
  'unfinished', (SELECT count(*) FROM unfinished),
  'most', 1000,
  'under_way', (SELECT coalesce(json_agg(under_way), '[]') FROM under_way),
  'ended', (SELECT coalesce(json_agg(ended), '[]') FROM ended),
  'parked', (SELECT coalesce(json_agg(waiting), '[]') FROM waiting),
  'rate', (SELECT CASE WHEN count(*) < 1000 THEN count(*) / 5.0
                       ELSE 1000 / greatest(extract(epoch FROM now() - min(finished_at)), 0.001) END FROM finished),
  'latency_ms', (SELECT latency FROM first_attempts),
  'jobs', (SELECT count(*) FROM jobs),
  'oldest_job_s', (SELECT extract(epoch FROM now() - min(created_at))::float8 FROM jobs),
  'workers', (SELECT coalesce(json_agg(workers ORDER BY name), '[]') FROM workers))::text AS board
)sql"};

constexpr auto kRequestSql = joined(R"sql(
SELECT json_build_object(
         'point', k.recovery_point,
         'state', CASE WHEN k.finished_at IS NOT NULL THEN 'finished' WHEN k.parked_at IS NOT NULL THEN 'parked'
                       WHEN k.locked_at >= now() - make_interval(secs => $3::int) THEN 'in_progress'
                       ELSE 'waiting' END,
         'attempts', k.attempts, 'completions', k.completions, 'error', k.last_error,
         'status', k.response_code, 'ride', rides.id, 'charge', rides.stripe_charge_id)::text AS request,
       rides.charge_key
  FROM (SELECT $1::text AS credential) asked, LATERAL ()sql",
                                    endpoints::kReaderOfCredential, R"sql() users (id)
  JOIN idempotency_keys k ON k.user_id = users.id AND k.idempotency_key = $2
  LEFT JOIN rides ON rides.idempotency_key_id = k.id
)sql");
constexpr pg::Statement kRequest{"lab_request", kRequestSql.data()};

// Makes the key two hours older. Then its lease has run out, and the key counts as abandoned. The ride and
// its charge keep their age.
constexpr auto kHurrySql = joined(R"sql(
UPDATE idempotency_keys
   SET created_at = created_at - interval '2 hours', last_run_at = last_run_at - interval '2 hours',
       locked_at = locked_at - interval '2 hours'
  FROM (SELECT $1::text AS credential) asked, LATERAL ()sql",
                                  endpoints::kWriterOfCredential, R"sql() users (id)
 WHERE user_id = users.id AND idempotency_key = $2 AND finished_at IS NULL AND parked_at IS NULL
)sql");
constexpr pg::Statement kHurry{"lab_hurry", kHurrySql.data()};

HttpResponse json_response(std::string body) {
  HttpResponse response;
  response.body = std::move(body);
  return response;
}

Failure no_such_key() { return {404, "idempotency_key_not_found", "You have no such unfinished key.", {}}; }

pg::Params user_and_key(const std::string& credentials, const RequestContext& context) {
  return {credentials, normalize_idempotency_key(context.variables.front()).value_or("")};
}

}  // namespace

Laboratory::Laboratory(const pg::LaneOptions& database, const idempotency::Engine& engine,
                       payments::ChargeGateway& provider, LaboratoryOptions options, const Log& log)
    : engine_(engine), provider_(provider), options_(std::move(options)), lanes_(1, database, log) {}

std::vector<Laboratory::Experiment> Laboratory::experiments() {
  std::vector<Experiment> all;
  all.push_back({"GET", "/lab/board", [this](pg::Lane& lane, const RequestContext& context) {
                   return answer_board(lane, context);
                 }});
  all.push_back({"GET", "/lab/requests/{key}", [this](pg::Lane& lane, const RequestContext& context) {
                   return answer_request(lane, context);
                 }});
  if (!options_.with_faults) return all;
  all.push_back({"POST", "/lab/hurry/{key}", [this](pg::Lane& lane, const RequestContext& context) {
                   return answer_hurry(lane, context);
                 }});
  all.push_back({"POST", "/lab/rides/{fault}", [this](pg::Lane& lane, const RequestContext& context) {
                   return answer_faulty_ride(lane, context);
                 }});
  return all;
}

asio::awaitable<HttpResponse> Laboratory::answer_board(pg::Lane& lane, const RequestContext& context) {
  if (!context.credentials) co_return render(context.credentials.error(), context.as_problem);
  const bool is_email = context.credentials->find('@') != std::string::npos;
  std::string scope = is_email && options_.emails_may_operate ? "read" : "operate";
  const auto fault = co_await find_fault(lane, *context.credentials, std::move(scope), {});
  if (fault) co_return render(*fault, context.as_problem);
  const bool fresh = Clock::now() - board_is_of_ < kFreshness;
  if (!board_.empty() && (fresh || asking_)) co_return json_response(board_);
  asking_ = true;
  std::exception_ptr error;
  try {
    pg::Query query(kBoard, pg::Params{});
    const pg::Result result = co_await run(lane, std::move(query));
    const std::string faults = options_.with_faults ? "true" : "false";
    board_ = "{\"faults\":" + faults + ",\"board\":" + std::string(result.text(0, "board")) + "}";
    board_is_of_ = Clock::now();
  } catch (...) {
    error = std::current_exception();
  }
  asking_ = false;
  if (error) std::rethrow_exception(error);
  co_return json_response(board_);
}

asio::awaitable<HttpResponse> Laboratory::answer_request(pg::Lane& lane,
                                                         const RequestContext& context) const {
  if (!context.credentials) co_return render(context.credentials.error(), context.as_problem);
  pg::Params params = user_and_key(*context.credentials, context);
  params.push_back(std::to_string(engine_.lease_time().count()));
  pg::Query query(kRequest, std::move(params));
  const pg::Result result = co_await run(lane, std::move(query));
  if (result.empty()) co_return render(no_such_key(), context.as_problem);
  nlohmann::ordered_json calls;
  if (!options_.ledger.empty()) {
    calls = nlohmann::ordered_json::array();
    const std::string charge_key(result.text(0, "charge_key"));
    for (const payments::MockLedger::Entry& entry :
         payments::MockLedger::read(options_.ledger, charge_key, kLedgerBytes)) {
      calls.push_back({{"charge", entry.moved ? nlohmann::json(*entry.moved) : nlohmann::json()},
                       {"answer_lost", entry.answer_lost}});
    }
  }
  co_return json_response("{\"request\":" + std::string(result.text(0, "request")) +
                          ",\"ledger\":" + calls.dump() + "}");
}

asio::awaitable<HttpResponse> Laboratory::answer_hurry(pg::Lane& lane, const RequestContext& context) const {
  if (!context.credentials) co_return render(context.credentials.error(), context.as_problem);
  pg::Params params = user_and_key(*context.credentials, context);
  pg::Query query(kHurry, std::move(params));
  const pg::Result result = co_await run(lane, std::move(query));
  if (result.affected() == 0) co_return render(no_such_key(), context.as_problem);
  co_return json_response(R"({"message":"Two hours have passed for this key."})");
}

// The request is stored and compared like any POST /rides, so whoever makes the next attempt continues from
// its recovery point.
asio::awaitable<HttpResponse> Laboratory::answer_faulty_ride(pg::Lane& lane,
                                                             const RequestContext& context) const {
  const auto fault = payments::fault_named(context.variables.front());
  if (!fault) {
    const Failure failure{404, "not_found", "There is no such fault.", {}};
    co_return render(failure, context.as_problem);
  }
  payments::FaultyGateway gateway(provider_, *fault);
  const endpoints::Endpoint endpoint = endpoints::rides(gateway, options_.rides);
  RequestContext ride = context;
  ride.request.path = endpoint.path.text();
  ride.variables.clear();
  co_return co_await answer_mutation(lane, engine_, endpoint, ride, options_.mutations);
}

}  // namespace rocket::api
