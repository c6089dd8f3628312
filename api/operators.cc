#include "api/operators.h"

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "api/credentials.h"
#include "api/failure.h"
#include "api/identity.h"
#include "api/parameters.h"
#include "api/queries.h"
#include "rocket/base/ids.h"
#include "rocket/operations/requests.h"
#include "rocket/process/host_name.h"

namespace rocket::api {
namespace {

using operations::Deed;
using operations::Verdict;

constexpr std::int64_t kMaxFound = 100;
constexpr std::size_t kLongestSearch = 255;
constexpr std::size_t kLongestNote = 1000;

HttpResponse json_response(std::string body) {
  HttpResponse response;
  response.body = std::move(body);
  return response;
}

Failure no_such_key() {
  return {
      404, "idempotency_key_not_found", std::string(operations::sentence_of({}, Verdict::kNoSuchKey)), {}};
}

// The text that a search is for. A query is part of the URI, so a mistake in it is answered with 400.
Expected<std::string> read_search(const HttpRequest& request) {
  auto parsed = Parameters::parse_query(request.query);
  if (!parsed) return Unexpected(std::move(parsed.error()));
  auto values = parsed->read({{"find", endpoints::Text{1, kLongestSearch}}});
  if (!values) return Unexpected(Failure{400, values.error().code, values.error().error, {}});
  return values->at("find").get<std::string>();
}

// Whoever closes a request must say why.
Expected<std::string> read_note(const HttpRequest& request, Deed deed) {
  auto parsed = Parameters::parse(request);
  if (!parsed) return Unexpected(std::move(parsed.error()));
  const bool is_required = deed == Deed::kClose;
  auto values = parsed->read({{"note", endpoints::Text{is_required ? 1U : 0U, kLongestNote}, is_required}});
  if (!values) return Unexpected(std::move(values.error()));
  const auto given = values->find("note");
  std::string note = given == values->end() ? "" : given->get<std::string>();
  if ((is_required || !note.empty()) && !operations::is_note(note)) {
    return Unexpected(
        Failure{422, "parameter_invalid", "The parameter note must say why, in plain text.", {}});
  }
  return note;
}

Failure refusal_of(Deed deed, Verdict verdict) {
  if (verdict == Verdict::kNoSuchKey) return no_such_key();
  return {409,
          verdict == Verdict::kIsClosed ? "key_closed" : "key_not_parked",
          std::string(operations::sentence_of(deed, verdict)),
          {}};
}

// Counts since the start of this process. Who looks twice learns what happened in between.
nlohmann::ordered_json own_numbers(const payments::CircuitBreaker& provider, const RequestMetrics& metrics) {
  const RequestMetrics::Totals totals = metrics.totals();
  const auto& [successes, redirections, refusals, failures] = totals.answers;
  return {{"payment_circuit", name_of(provider.state())},
          {"http",
           {{"answers", {{"2xx", successes}, {"3xx", redirections}, {"4xx", refusals}, {"5xx", failures}}},
            {"latency_bounds_s", totals.bounds},
            {"latency_counts", totals.counts}}}};
}

}  // namespace

Operators::Operators(pg::LaneOptions database, bool emails_may_operate, std::chrono::seconds lease_time,
                     const payments::CircuitBreaker& provider, const RequestMetrics& metrics, const Log& log)
    : database_(std::move(database)),
      lease_time_(lease_time),
      log_(log),
      board_(emails_may_operate, [&] { return own_numbers(provider, metrics); }) {}

pg::Lanes& Operators::lanes() {
  std::call_once(begun_, [this] { lanes_ = std::make_unique<pg::Lanes>(1, database_, log_); });
  return *lanes_;
}

void Operators::stop() {
  if (lanes_) lanes_->stop();
}

std::vector<Route> Operators::routes() {
  std::vector<Route> all;
  const auto add = [&](const char* method, const char* path, Handler handler) {
    Route& route = all.emplace_back(Route{method, http::PathPattern(path), std::move(handler)});
    route.lanes = [this]() -> pg::Lanes& { return lanes(); };
    route.is_for_operators = true;
  };
  add("GET", "/ops/board",
      [this](pg::Lane& lane, const RequestContext& context) { return answer_board(lane, context); });
  add("GET", "/ops/requests",
      [this](pg::Lane& lane, const RequestContext& context) { return answer_search(lane, context); });
  add("GET", "/ops/keys/{key_id}",
      [this](pg::Lane& lane, const RequestContext& context) { return answer_story(lane, context); });
  add("POST", "/ops/keys/{key_id}/resume", [this](pg::Lane& lane, const RequestContext& context) {
    return answer_order(lane, context, Deed::kResume);
  });
  add("POST", "/ops/keys/{key_id}/close", [this](pg::Lane& lane, const RequestContext& context) {
    return answer_order(lane, context, Deed::kClose);
  });
  return all;
}

asio::awaitable<HttpResponse> Operators::answer_board(pg::Lane& lane, const RequestContext& context) {
  if (!context.credentials) co_return render(context.credentials.error(), context.as_problem);
  auto board = co_await board_.look(lane, *context.credentials);
  if (!board) co_return render(board.error(), context.as_problem);
  co_return json_response(std::move(*board));
}

asio::awaitable<HttpResponse> Operators::answer_search(pg::Lane& lane, const RequestContext& context) const {
  if (!context.credentials) co_return render(context.credentials.error(), context.as_problem);
  const auto fault = co_await board_.find_fault(lane, *context.credentials, context.ids);
  if (fault) co_return render(*fault, context.as_problem);
  const auto text = read_search(context.request);
  if (!text) co_return render(text.error(), context.as_problem);
  const pg::Result found =
      co_await run(lane, operations::find_requests(operations::Search::of(*text), kMaxFound, lease_time_),
                   context.caller, context.ids);
  co_return json_response(std::string(found.text(0, "requests")));
}

asio::awaitable<HttpResponse> Operators::answer_story(pg::Lane& lane, const RequestContext& context) const {
  if (!context.credentials) co_return render(context.credentials.error(), context.as_problem);
  const auto fault = co_await board_.find_fault(lane, *context.credentials, context.ids);
  if (fault) co_return render(*fault, context.as_problem);
  const std::string& key_id = context.variables.front();
  if (!is_uuid(key_id)) co_return render(no_such_key(), context.as_problem);
  const pg::Result found =
      co_await run(lane, operations::find_story(key_id, lease_time_), context.caller, context.ids);
  if (found.empty()) co_return render(no_such_key(), context.as_problem);
  co_return json_response("{\"request\":" + std::string(found.text(0, "story")) + "}");
}

asio::awaitable<HttpResponse> Operators::answer_order(pg::Lane& lane, const RequestContext& context,
                                                      Deed deed) const {
  if (!context.credentials) co_return render(context.credentials.error(), context.as_problem);
  const auto fault = co_await board_.find_fault(lane, *context.credentials, context.ids);
  if (fault) co_return render(*fault, context.as_problem);
  auto note = read_note(context.request, deed);
  if (!note) co_return render(note.error(), context.as_problem);
  const std::string& key_id = context.variables.front();
  if (!is_uuid(key_id)) co_return render(no_such_key(), context.as_problem);
  const auto user = co_await identify(lane, *context.credentials);
  // They were revoked at this moment.
  if (!user) co_return render(unknown_user(*context.credentials), context.as_problem);

  pg::Unit unit;
  unit.queries = operations::carry_out({.deed = deed,
                                        .key_id = key_id,
                                        .operator_name = "user " + *user,
                                        .note = std::move(*note),
                                        .process = "api",
                                        .host = process::host_name(),
                                        .origin_ip = context.request.origin_ip},
                                       lease_time_);
  unit.caller = context.caller;
  unit.ids = context.ids;
  unit.exclusive = true;
  const std::vector<pg::Result> results = co_await lane.commit(std::move(unit));
  const auto [verdict, story] = operations::read_order(deed, results);
  if (verdict != Verdict::kDone && verdict != Verdict::kDoneBefore) {
    co_return render(refusal_of(deed, verdict), context.as_problem);
  }
  const bool is_new = verdict == Verdict::kDone;
  if (is_new) {
    const char* event = deed == Deed::kClose ? "closed by an operator" : "resumed by an operator";
    log_.info(event, {{"key_id", key_id}, {"user_id", *user}, context.ids->request_field()});
  }
  const nlohmann::ordered_json message = operations::sentence_of(deed, verdict);
  co_return json_response("{\"message\":" + message.dump() + ",\"already\":" + (is_new ? "false" : "true") +
                          ",\"request\":" + story + "}");
}

}  // namespace rocket::api
