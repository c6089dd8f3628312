#include "api/mutations.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "api/credentials.h"
#include "api/identity.h"
#include "api/parameters.h"
#include "api/request_checks.h"
#include "rocket/base/ids.h"

namespace rocket::api {
namespace {

using endpoints::Endpoint;
using endpoints::KeyRule;

Failure failure_of_refusal(idempotency::RefusalKind kind, MutationOptions options) {
  using idempotency::RefusalKind;
  switch (kind) {
    case RefusalKind::kUnknownOwner:
      break;
    case RefusalKind::kKeyReused:
      return {options.key_reused_status,
              "idempotency_key_reused",
              "This Idempotency-Key was used for another request. Use a new key for a new request.",
              {}};
    case RefusalKind::kInProgress:
      return failure("request_in_progress");
    case RefusalKind::kParked:
      return failure("request_parked");
    case RefusalKind::kForeignUnavailable:
      return failure("payment_unavailable");
    case RefusalKind::kDatabaseUnavailable:
      return failure("database_unavailable");
    case RefusalKind::kInternal:
      return {};
  }
  return {};
}

// The key, or what is wrong with it. A request that needs no key gets one that nobody else can guess.
Expected<std::string> key_for(const HttpRequest& request, KeyRule rule) {
  auto read = read_idempotency_key(request);
  if (!read) return Unexpected(std::move(read.error()));
  if (*read) return std::move(**read);
  if (rule == KeyRule::kOptional) return "keyless-" + random_uuid();
  return Unexpected(failure("idempotency_key_missing"));
}

// Each variable is an id. An id has one spelling: 7 is an id, and 07 is not.
std::optional<Failure> wrong_variable(const Endpoint& endpoint, const RequestContext& context) {
  for (std::size_t i = 0; i < endpoint.variables.size(); ++i) {
    if (!is_id(context.variables.at(i))) return failure(endpoint.variables[i].not_found);
  }
  return std::nullopt;
}

// Everything that can be checked without the database.
Expected<idempotency::Request> accept(const Endpoint& endpoint, const RequestContext& context,
                                      MutationOptions options) {
  auto key = key_for(context.request, endpoint.key);
  if (!key) return Unexpected(std::move(key.error()));
  auto parameters = Parameters::parse(context.request);
  if (!parameters) return Unexpected(std::move(parameters.error()));
  if (auto failed = wrong_variable(endpoint, context)) return Unexpected(std::move(*failed));
  auto read = parameters->read(endpoint.parameters);
  if (!read) return Unexpected(std::move(read.error()));
  bool raise_error = false;
  if (options.with_raise_error && endpoint.flow.has_foreign_call()) {
    auto flag = parameters->flag("raise_error");
    if (!flag) return Unexpected(std::move(flag.error()));
    raise_error = *flag;
  }
  return idempotency::Request{.credential = *context.credentials,
                              .key = std::move(*key),
                              .method = endpoint.method,
                              // With the variables decoded: /rides/%37 is /rides/7.
                              .path = endpoint.path.filled(context.variables),
                              .params = read->dump(),
                              .origin_ip = context.request.origin_ip,
                              .raise_error = raise_error,
                              .caller = context.caller,
                              .ids = context.ids};
}

// Finds the id in an answer of our own, where the object `name` begins with its id. Parsing the whole answer
// would cost each ride some microseconds.
std::string id_in(std::string_view answer, const std::string& name) {
  const std::string start = '"' + name + R"(":{"id":)";
  const auto found = answer.find(start);
  if (found == std::string_view::npos) return {};
  const std::string_view id = answer.substr(found + start.size());
  return std::string(id.substr(0, id.find_first_of(",}")));
}

// The path of the resource that was created.
std::string location_in(std::string_view answer, const Endpoint& endpoint, const RequestContext& context) {
  const auto& own = endpoint.path.variables();
  std::vector<std::string> values;
  for (const std::string& name : endpoint.location->variables()) {
    const auto found = std::find(own.begin(), own.end(), name);
    values.push_back(found == own.end() ? id_in(answer, name)
                                        : context.variables[static_cast<std::size_t>(found - own.begin())]);
  }
  return endpoint.location->filled(values);
}

}  // namespace

HttpResponse render_outcome(const Endpoint& endpoint, const RequestContext& context,
                            idempotency::Outcome outcome, MutationOptions options) {
  if (auto* refusal = std::get_if<idempotency::Refusal>(&outcome)) {
    HttpResponse response = render(failure_of_refusal(refusal->kind, options), context.as_problem);
    response.usage = {.is_new_key = refusal->made_key, .is_unfinished = true};
    response.key_in_progress = std::move(refusal->key_id);
    return response;
  }
  auto& answer = std::get<idempotency::Response>(outcome);
  std::string location;
  if (answer.status == 201 && endpoint.location) location = location_in(answer.body, endpoint, context);
  HttpResponse response = render_stored(answer.status, std::move(answer.body), context.as_problem);
  response.usage = {.is_new_key = answer.made_key, .is_decline = answer.status == 402 && !answer.replayed};
  if (!location.empty()) response.headers.emplace_back("Location", std::move(location));
  if (answer.replayed) response.headers.emplace_back("Idempotent-Replayed", "true");
  if (answer.retry_after) response.headers.emplace_back("Retry-After", std::to_string(*answer.retry_after));
  return response;
}

asio::awaitable<HttpResponse> answer_mutation(pg::Lane& lane, const idempotency::Engine& engine,
                                              const Endpoint& endpoint, const RequestContext& context,
                                              MutationOptions options) {
  if (!context.credentials) co_return render(context.credentials.error(), context.as_problem);

  auto accepted = accept(endpoint, context, options);
  if (!accepted) {
    // The claim would have noticed an unknown user. Without a claim we must ask, since credentials are
    // checked first.
    const auto fault = co_await find_fault(lane, *context.credentials, "write", context.caller, context.ids);
    co_return render(fault ? *fault : accepted.error(), context.as_problem);
  }

  idempotency::Request& request = *accepted;
  idempotency::Known known;
  if (context.restriction) {
    known = co_await engine.look_up(lane, endpoint.flow, request);
    const bool may_go_on = context.restriction->may_go_on && known.is_stored;
    if (!known.outcome && !may_go_on) co_return context.restriction->refusal;
  }
  idempotency::Outcome outcome;
  if (known.outcome) {
    outcome = std::move(*known.outcome);
  } else {
    outcome = co_await engine.run(lane, endpoint.flow, std::move(request));
  }
  const auto* refusal = std::get_if<idempotency::Refusal>(&outcome);
  if (refusal != nullptr && refusal->kind == idempotency::RefusalKind::kUnknownOwner) {
    const auto fault = co_await find_fault(lane, *context.credentials, "write", context.caller, context.ids);
    // They may have become valid since.
    co_return render(fault ? *fault : unknown_user(*context.credentials), context.as_problem);
  }
  co_return render_outcome(endpoint, context, std::move(outcome), options);
}

}  // namespace rocket::api
