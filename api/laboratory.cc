#include "api/laboratory.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "api/failure.h"
#include "api/queries.h"
#include "api/request_checks.h"
#include "rocket/base/text.h"
#include "rocket/endpoints/credentials.h"
#include "rocket/payments/faulty_gateway.h"
#include "rocket/payments/mock_gateway.h"

namespace rocket::api {
namespace {

constexpr std::int64_t kLedgerBytes = 262'144;

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

std::vector<Route> Laboratory::routes() {
  std::vector<Route> all;
  const auto add = [&](const char* method, const char* path, Handler handler) {
    Route& route = all.emplace_back(Route{method, http::PathPattern(path), std::move(handler)});
    route.lanes = [this]() -> pg::Lanes& { return lanes_; };
  };
  Route& faults = all.emplace_back(Route{"GET", http::PathPattern("/lab/faults"), nullptr});
  faults.answer_at_once = [this](const HttpRequest&) {
    return json_response(options_.with_faults ? R"({"faults":true})" : R"({"faults":false})");
  };
  add("GET", "/lab/requests/{key}",
      [this](pg::Lane& lane, const RequestContext& context) { return answer_request(lane, context); });
  if (!options_.with_faults) return all;
  add("POST", "/lab/hurry/{key}",
      [this](pg::Lane& lane, const RequestContext& context) { return answer_hurry(lane, context); });
  add("POST", "/lab/rides/{fault}",
      [this](pg::Lane& lane, const RequestContext& context) { return answer_faulty_ride(lane, context); });
  return all;
}

asio::awaitable<HttpResponse> Laboratory::answer_request(pg::Lane& lane,
                                                         const RequestContext& context) const {
  if (!context.credentials) co_return render(context.credentials.error(), context.as_problem);
  pg::Params params = user_and_key(*context.credentials, context);
  params.push_back(std::to_string(engine_.lease_time().count()));
  pg::Query query(kRequest, std::move(params));
  const pg::Result result = co_await run(lane, std::move(query), {}, context.ids);
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
  const pg::Result result = co_await run(lane, std::move(query), {}, context.ids);
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
