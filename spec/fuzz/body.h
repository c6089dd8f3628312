#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "api/mutations.h"
#include "spec/fuzz/property.h"

// What the targets that read request bodies share.
namespace rocket::fuzz {

inline constexpr const char* kForm = "application/x-www-form-urlencoded";
inline constexpr const char* kJson = "application/json";

inline api::HttpRequest request_with(const std::string& type, std::string body) {
  api::HttpRequest request;
  request.headers.emplace_back("content-type", type);
  request.body = std::move(body);
  return request;
}

// The first line of the input is the Content-Type, the rest is the body.
inline api::HttpRequest request_of(const std::string& input) {
  const auto end = std::min(input.find('\n'), input.size());
  return request_with(input.substr(0, end), input.substr(std::min(end + 1, input.size())));
}

inline void must_be_the_clients(const api::Failure& failure) {
  const bool theirs = failure.status == 400 || failure.status == 415 || failure.status == 422;
  must(theirs && !failure.code.empty() && !failure.error.empty(), "a refusal says what the client did wrong");
}

// Nothing: the body was refused.
inline std::optional<api::Parameters> parse(const api::HttpRequest& request) {
  auto parsed = api::Parameters::parse(request);
  if (auto* parameters = std::get_if<api::Parameters>(&parsed)) return std::move(*parameters);
  must_be_the_clients(std::get<api::Failure>(parsed));
  return std::nullopt;
}

using Accept = api::OrFailure<api::AcceptedBody> (*)(const api::Parameters&);

inline std::optional<api::AcceptedBody> accept(Accept accept_body, const api::HttpRequest& request) {
  const auto parameters = parse(request);
  if (!parameters) return std::nullopt;
  auto accepted = accept_body(*parameters);
  if (auto* body = std::get_if<api::AcceptedBody>(&accepted)) return std::move(*body);
  must_be_the_clients(std::get<api::Failure>(accepted));
  return std::nullopt;
}

}  // namespace rocket::fuzz
