#include "endpoints/answers.h"

#include <nlohmann/json.hpp>

namespace rocket::endpoints {

idempotency::Ended ended(int status, const std::string& code, const std::string& error,
                         const std::string& decline_code) {
  nlohmann::ordered_json body{{"error", error}, {"code", code}};
  if (!decline_code.empty()) body["decline_code"] = decline_code;
  // What comes from a provider need not be valid UTF-8.
  return {status, body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)};
}

}  // namespace rocket::endpoints
