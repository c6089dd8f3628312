#include <algorithm>
#include <string>
#include <string_view>
#include <variant>

#include "api/credentials.h"
#include "api/request_checks.h"
#include "rocket/base/ids.h"
#include "spec/fuzz/property.h"

// Properties: where e-mail addresses are taken, credentials are a token, or 1 to 255 visible ASCII characters
// with an
// @. Anything else is refused with 401. What is taken without e-mail addresses is the hash of a token. A
// request keeps its caller's id if that has 1 to 128 characters without a special meaning; otherwise it gets
// a new id. Neither field may be given twice.
//
// The input is the value of both fields.
namespace rocket::fuzz {
namespace {

bool is_visible(char c) { return c > ' ' && c <= '~'; }

bool is_harmless(char c) {
  return is_visible(c) && std::string_view("\"\\<>&'`;,%#?!$*()[]{}|~^@").find(c) == std::string_view::npos;
}

void identify(const std::string& value) {
  const auto all = [&](auto predicate) { return std::all_of(value.begin(), value.end(), predicate); };
  api::HttpRequest request;
  request.headers.emplace_back("authorization", value);
  request.headers.emplace_back("x-request-id", value);

  const auto credentials = api::read_credentials(request, api::AuthMode::kEmail);
  const auto token = api::read_credentials(request, api::AuthMode::kToken);
  const bool is_email = value.size() <= 255 && all(is_visible) && value.find('@') != std::string::npos;
  if (token) {
    must(token->size() == 64 && token->find('@') == std::string::npos, "a token counts by its hash");
    must(credentials && *credentials == *token, "a token is a token in either mode");
  } else if (credentials) {
    must(is_email && *credentials == value, "an e-mail address is 1 to 255 visible characters");
  } else {
    must(!is_email && credentials.error().status == 401, "anything else is unauthorized");
  }

  const std::string id = api::request_id_of(request);
  const bool is_id = !value.empty() && value.size() <= 128 && all(is_harmless);
  must(is_id ? id == value : is_uuid(id), "a request's id is the caller's or a new one");

  request.headers.emplace_back("authorization", value);
  request.headers.emplace_back("x-request-id", value);
  must(!api::read_credentials(request, api::AuthMode::kEmail), "two callers are none");
  must(is_uuid(api::request_id_of(request)), "two ids are none");
}

}  // namespace
}  // namespace rocket::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocket::fuzz::identify(rocket::fuzz::text_of(data, size));
  return 0;
}
