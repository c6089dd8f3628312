#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/parameters.h"
#include "rocket/endpoints/endpoint.h"
#include "spec/fuzz/property.h"

// The common part of the targets that read request bodies.
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

// Returns nullopt if the body is refused.
inline std::optional<api::Parameters> parse(const api::HttpRequest& request) {
  auto parsed = api::Parameters::parse(request);
  if (parsed) return std::move(*parsed);
  must_be_the_clients(parsed.error());
  return std::nullopt;
}

// Returns what the key would store: a JSON object with the parameters that an endpoint declares. Returns
// nullopt if the body is refused.
inline std::optional<std::string> read(const api::HttpRequest& request,
                                       const std::vector<endpoints::Parameter>& declared) {
  const auto parameters = parse(request);
  if (!parameters) return std::nullopt;
  const auto values = parameters->read(declared);
  if (values) return values->dump();
  must_be_the_clients(values.error());
  return std::nullopt;
}

}  // namespace rocket::fuzz
