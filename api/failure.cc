#include "api/failure.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "rocket/base/text.h"
#include "rocket/endpoints/failures.h"

namespace rocket::api {
namespace {

constexpr std::string_view kProblemType = "application/problem+json";

std::string dump(const nlohmann::ordered_json& body) {
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string title(std::string code) {
  std::replace(code.begin(), code.end(), '_', ' ');
  if (!code.empty() && code[0] >= 'a' && code[0] <= 'z') code[0] = static_cast<char>(code[0] - 'a' + 'A');
  return code;
}

// `failure` has "error" and "code"; each other member becomes an extension member.
HttpResponse problem(int status, const nlohmann::ordered_json& failure) {
  const auto& code = failure.at("code").get_ref<const std::string&>();
  nlohmann::ordered_json body{{"type", "about:blank"},
                              {"title", title(code)},
                              {"status", status},
                              {"detail", failure.at("error")},
                              {"code", code}};
  for (const auto& [name, value] : failure.items()) {
    if (name != "error") body[name] = value;
  }
  HttpResponse response;
  response.status = status;
  response.content_type = kProblemType;
  response.body = dump(body);
  return response;
}

// Takes the next part off the front of a list, and returns it.
std::string_view next_part(std::string_view& list, char separator) {
  const auto end = list.find(separator);
  const std::string_view part = list.substr(0, end);
  list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
  return trimmed(part);
}

// q=0, q=0.0 and so on mean "not acceptable" (RFC 9110, section 12.4.2).
bool is_zero_weight(std::string_view parameter) {
  if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) return false;
  return parameter.size() > 2 && parameter.find_first_not_of("0.", 2) == std::string_view::npos;
}

// Whether the error is about the key. Then the answer links to our policy, which tells what to do.
bool concerns_key(std::string_view code) {
  return code.starts_with("idempotency_key_") || code == "request_in_progress" || code == "request_parked";
}

}  // namespace

Failure failure(std::string_view code) {
  const endpoints::KnownFailure& known = endpoints::known_failure(code);
  Failure failed{known.status, std::string(code), std::string(known.error), {}};
  if (known.retry_after > 0) failed.headers.emplace_back("Retry-After", std::to_string(known.retry_after));
  return failed;
}

bool accepts(std::string_view accept, std::string_view media_type) {
  while (!accept.empty()) {
    std::string_view range = next_part(accept, ',');
    if (!equal_ignoring_case(next_part(range, ';'), media_type)) continue;
    bool refused = false;
    while (!range.empty()) refused = is_zero_weight(next_part(range, ';')) || refused;
    if (!refused) return true;
  }
  return false;
}

bool accepts_problem(std::string_view accept) { return accepts(accept, kProblemType); }

bool accepts_problem(const HttpRequest& request) {
  return std::any_of(request.headers.begin(), request.headers.end(), [](const auto& field) {
    return field.first == "accept" && accepts_problem(std::string_view(field.second));
  });
}

HttpResponse render(const Failure& failure, bool as_problem) {
  nlohmann::ordered_json body{{"error", failure.error}, {"code", failure.code}};
  if (!failure.missing.empty()) body["missing"] = failure.missing;
  HttpResponse response;
  if (as_problem) {
    response = problem(failure.status, body);
  } else {
    response.status = failure.status;
    response.body = dump(body);
  }
  response.headers = failure.headers;
  response.code = failure.code;
  response.refused_user = failure.refused_user;
  if (concerns_key(failure.code)) {
    response.headers.emplace_back("Link", "</docs/idempotency>; rel=\"describedby\"; type=\"text/html\"");
  }
  return response;
}

std::array<HttpResponse, 2> render_both(const Failure& failure) {
  return {render(failure, false), render(failure, true)};
}

HttpResponse render_stored(int status, std::string body, bool as_problem) {
  if (as_problem && status >= 400) return problem(status, nlohmann::ordered_json::parse(body));
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

}  // namespace rocket::api
