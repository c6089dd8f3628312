#include <algorithm>
#include <optional>
#include <string>
#include <variant>

#include "api/request_checks.h"
#include "spec/fuzz/property.h"

// Properties: every text of 20 to 255 printable ASCII characters is a key, and nothing else is. A quoted key
// is the same as the unquoted one. A field that is given twice is no key.
//
// The input is the value of an Idempotency-Key field.
namespace rocket::fuzz {
namespace {

bool is_key(const std::string& text) {
  return text.size() >= 20 && text.size() <= 255 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::string quoted(const std::string& text) {
  std::string string = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') string += '\\';
    string += c;
  }
  return string + '"';
}

// Returns nullopt if the key is refused.
std::optional<std::string> read(const api::HttpRequest& request) {
  const auto result = api::read_idempotency_key(request);
  if (!result) {
    must(result.error().status == 400, "a key that is none is a bad request");
    return std::nullopt;
  }
  must(result->has_value(), "a field that is there is not overlooked");
  return *result;
}

void read_key(const std::string& value) {
  api::HttpRequest request;
  request.headers.emplace_back("idempotency-key", value);
  const auto key = read(request);
  must(key == api::normalize_idempotency_key(value), "a key is the same in a field and in a path");
  must(!key || is_key(*key), "a key is 20 to 255 printable ASCII characters");
  if (!value.starts_with('"'))
    must(key.has_value() == is_key(value) && key.value_or(value) == value, "plain");

  const auto unquoted = api::normalize_idempotency_key(quoted(value));
  must(unquoted.has_value() == is_key(value) && unquoted.value_or(value) == value, "quotes change nothing");
  must(!key || api::normalize_idempotency_key(quoted(*key)) == key, "quotes change nothing of a key");

  request.headers.emplace_back("idempotency-key", value);
  must(!read(request), "two fields are no key");
}

}  // namespace
}  // namespace rocket::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocket::fuzz::read_key(rocket::fuzz::text_of(data, size));
  return 0;
}
