#include "api/request_checks.h"

#include <algorithm>

#include "rocket/base/ids.h"
#include "rocket/base/traceparent.h"

namespace rocket::api {
namespace {

constexpr std::size_t kMinKeyLength = 20;
constexpr std::size_t kMaxKeyLength = 255;
constexpr std::size_t kMaxRequestIdLength = 128;

bool is_printable(char c) { return c >= ' ' && c <= '~'; }

// RFC 8941, section 4.2.5: the text inside the quotes, or nullopt if it is no such string.
std::optional<std::string> unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') return std::nullopt;
    if (text[i] == '\\') {
      if (++i == text.size() || (text[i] != '"' && text[i] != '\\')) return std::nullopt;
    }
    plain += text[i];
  }
  return plain;
}

}  // namespace

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= 18 && text.front() != '0' &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<std::string> normalize_idempotency_key(std::string_view text) {
  std::string key(text);
  if (text.starts_with('"')) {
    auto unquoted = unquote(text);
    if (!unquoted) return std::nullopt;
    key = std::move(*unquoted);
  }
  if (key.size() < kMinKeyLength || key.size() > kMaxKeyLength) return std::nullopt;
  if (!std::all_of(key.begin(), key.end(), is_printable)) return std::nullopt;
  return key;
}

Expected<std::optional<std::string>> read_idempotency_key(const HttpRequest& request) {
  const auto value = request.header("idempotency-key");
  if (!value) return std::optional<std::string>();
  std::optional<std::string> key;
  if (request.count("idempotency-key") == 1) key = normalize_idempotency_key(*value);
  if (!key) {
    return Unexpected(Failure{400,
                              "idempotency_key_invalid",
                              "Send one Idempotency-Key of 20 to 255 printable ASCII characters.",
                              {}});
  }
  return key;
}

std::string request_id_of(const HttpRequest& request) {
  const auto given = request.header("x-request-id");
  const auto is_sane = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.' || c == ':' || c == '/' || c == '+' || c == '=';
  };
  const bool sane = given && !given->empty() && given->size() <= kMaxRequestIdLength &&
                    request.count("x-request-id") == 1 && std::all_of(given->begin(), given->end(), is_sane);
  return sane ? std::string(*given) : random_uuid();
}

RequestIds ids_of(const HttpRequest& request) {
  RequestIds ids{.request_id = request_id_of(request)};
  const auto received = request.header("traceparent");
  if (received && request.count("traceparent") == 1) {
    ids.traceparent = continued_traceparent(*received).value_or("");
  }
  return ids;
}

}  // namespace rocket::api
