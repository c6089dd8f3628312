#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.h"

namespace rocket::api {

// Which other origins' pages may use this API from a browser (CORS, https://fetch.spec.whatwg.org). None may
// by default. Callers send credentials in header fields and never in cookies, so requests need not "include"
// credentials.
class CorsPolicy {
 public:
  CorsPolicy() = default;

  // Takes a comma-separated list: "https://app.example.com, http://localhost:3000". Returns nullopt if one is
  // not written as browsers write an origin: in lower case, and without a path.
  static std::optional<CorsPolicy> parse(std::string_view origins);

  bool allows_nobody() const { return origins_.empty(); }

  // Adds the fields that tell a browser whether the page that sent `request` may see the response. An answer
  // to OPTIONS must have its Allow field already.
  void add_to(HttpResponse& response, const HttpRequest& request) const;

 private:
  std::vector<std::string> origins_;
};

}  // namespace rocket::api
