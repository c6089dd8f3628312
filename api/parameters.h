#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/failure.h"
#include "api/http_message.h"
#include "rocket/endpoints/endpoint.h"

namespace rocket::api {

// The parameters of a request body, from application/x-www-form-urlencoded or application/json.
// Names that no one reads are ignored.
class Parameters {
 public:
  // Failures: 415 body_type_unsupported; 400 body_malformed (broken escapes, invalid UTF-8, NUL, a parameter
  // given twice, JSON that is no object).
  static Expected<Parameters> parse(const HttpRequest& request);

  // Returns an object with the values of the declared parameters, in that order, for the key to store and
  // compare. Failures: 422 parameter_missing or parameter_invalid, for the first wrong parameter.
  Expected<nlohmann::ordered_json> read(const std::vector<endpoints::Parameter>& declared) const;
  // Parses the parameters after the "?" of a URI. Failure: 400 parameter_invalid.
  static Expected<Parameters> parse_query(std::string_view query);
  // Returns false if the parameter is missing.
  Expected<bool> flag(const std::string& name) const;

 private:
  using Value = Expected<nlohmann::ordered_json>;
  Value value(const std::string& name, const nlohmann::json& given, const endpoints::Decimal& rule) const;
  Value value(const std::string& name, const nlohmann::json& given, const endpoints::Integer& rule) const;
  Value value(const std::string& name, const nlohmann::json& given, const endpoints::Text& rule) const;
  Value value(const std::string& name, const nlohmann::json& given, const endpoints::Flag& rule) const;

  // Form values are strings; JSON values keep their types.
  nlohmann::json values_ = nlohmann::json::object();
  bool is_form_ = false;
};

}  // namespace rocket::api
