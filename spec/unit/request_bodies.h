#pragma once

#include <string>

#include "api/failure.h"
#include "api/http_message.h"
#include "api/parameters.h"

// Requests with a body, and what the api says of them.
namespace rocket::api {

inline HttpRequest request(const std::string& type, const std::string& body) {
  HttpRequest request;
  if (!type.empty()) request.headers.emplace_back("content-type", type);
  request.body = body;
  return request;
}
inline HttpRequest form(const std::string& body) {
  return request("application/x-www-form-urlencoded", body);
}
inline HttpRequest json(const std::string& body) { return request("application/json", body); }

// Returns "200", or the failure's status and code.
template <typename T>
std::string verdict(const Expected<T>& result) {
  return result ? "200" : std::to_string(result.error().status) + " " + result.error().code;
}

inline std::string parse(const HttpRequest& request) { return verdict(Parameters::parse(request)); }

}  // namespace rocket::api
