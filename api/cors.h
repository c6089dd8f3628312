#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.h"

namespace rocket::api {

// Which other origins' pages may use this API from a browser (CORS, https://fetch.spec.whatwg.org). Nobody's
// unless it is said. Credentials are header fields of the caller's, never cookies, so none are "included".
class CorsPolicy {
 public:
  CorsPolicy() = default;

  // Origins, with commas: "https://app.example.com, http://localhost:3000". nullopt when one is no origin as
  // browsers write it: in lower case, and without a path.
  static std::optional<CorsPolicy> parse(std::string_view origins);

  bool allows_nobody() const { return origins_.empty(); }

  // Adds what tells a browser whether the page that sent `request` may see the response. The answer to
  // OPTIONS must have its Allow already.
  void add_to(HttpResponse& response, const HttpRequest& request) const;

 private:
  std::vector<std::string> origins_;
};

}  // namespace rocket::api
