#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "api/failure.h"
#include "api/http_message.h"

namespace rocket::api {

// The parameters of a request body, from application/x-www-form-urlencoded or application/json.
// Names that no one reads are ignored.
class Parameters {
 public:
  // Failures: 415 body_type_unsupported; 400 body_malformed (broken escapes, invalid UTF-8, NUL, a parameter
  // given twice, JSON that is no object).
  static OrFailure<Parameters> parse(const HttpRequest& request);

  // Decimal notation only, within bounds. Failures: 422 parameter_missing, parameter_invalid.
  OrFailure<double> decimal(const std::string& name, double least, double most) const;
  OrFailure<std::int64_t> integer(const std::string& name, std::int64_t least, std::int64_t most) const;
  // Missing: false.
  OrFailure<bool> flag(const std::string& name) const;

 private:
  // Form values are strings; JSON values are what they are.
  nlohmann::json values_ = nlohmann::json::object();
  bool is_form_ = false;
};

// Decodes %XX and "+" (https://url.spec.whatwg.org/#urlencoded-parsing). Nothing: an escape is broken.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

}  // namespace rocket::api
