#include "api/routes.h"

#include "api/http_text.h"
#include "rocket/base/text.h"

namespace rocket::api {

const Route* find_route(const std::vector<Route>& routes, RequestContext& context, std::string& allowed) {
  const HttpRequest& request = context.request;
  // "*" asks about the service as a whole (RFC 9110, 9.3.7).
  const bool asks_for_all = request.method == "OPTIONS" && request.path == "*";
  for (const Route& route : routes) {
    const auto values = route.path.match(request.path);
    if (!values && !asks_for_all) continue;
    if (request.method == route.method || (request.method == "HEAD" && route.method == "GET")) {
      for (const std::string_view value : *values) {
        context.variables.push_back(percent_decode(value, false).value_or(""));
      }
      return &route;
    }
    if (list_holds(allowed, lower_case(route.method))) continue;
    allowed += (route.method == "GET" ? "GET, HEAD" : route.method) + ", ";
  }
  if (!allowed.empty()) allowed += "OPTIONS";
  return nullptr;
}

}  // namespace rocket::api
