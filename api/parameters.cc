#include "api/parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <utility>

#include "api/http_text.h"
#include "rocket/base/text.h"

namespace rocket::api {
namespace {

using nlohmann::json;

// Far more than any request here has. A body is parsed before its sender is known to be a user, and a small
// body can be expensive to parse.
constexpr std::size_t kMaxValues = 256;
constexpr std::size_t kMaxDepth = 16;

Unexpected malformed(std::string error) {
  return Unexpected(Failure{400, "body_malformed", std::move(error), {}});
}

Unexpected missing(const std::string& name) {
  return Unexpected(Failure{422, "parameter_missing", "The parameter " + name + " is missing.", {}});
}

Unexpected invalid(const std::string& name, const std::string& rule) {
  return Unexpected(
      Failure{422, "parameter_invalid", "The parameter " + name + " must be " + rule + ".", {}});
}

// The fields that tell which bodies are accepted, for an answer with 415 (RFC 9110, section 15.5.16).
std::vector<std::pair<std::string, std::string>> accepted() {
  return {{"Accept", "application/x-www-form-urlencoded, application/json"}, {"Accept-Encoding", "identity"}};
}

// Compressed bodies are not unpacked, because a small one can become large.
bool is_encoded(const HttpRequest& request) {
  const auto coding = request.header("content-encoding");
  return coding && (request.count("content-encoding") > 1 || lower_case(*coding) != "identity");
}

bool is_utf8_without_nul(const std::string& text) {
  if (text.find('\0') != std::string::npos) return false;
  try {
    // The library refuses to write what is not UTF-8.
    static_cast<void>(json(text).dump());
    return true;
  } catch (const json::type_error&) {
    return false;
  }
}

// Takes what a person would type as a decimal number (-12.5, 007, .5, 1e3), and nothing else that a C library
// takes.
std::optional<double> parse_decimal(std::string_view text) {
  if (text.empty() || text.size() > 64 ||
      text.find_first_not_of("0123456789.-eE+") != std::string_view::npos) {
    return std::nullopt;
  }
  return number_of<double>(text);
}

std::string short_number(double value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

std::string media_type(std::string_view field) {
  return lower_case(trimmed(field.substr(0, field.find(';'))));
}

Expected<json> parse_form(std::string_view body) {
  json values = json::object();
  while (!body.empty()) {
    const auto end = body.find('&');
    const std::string_view pair = body.substr(0, end);
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
    if (pair.empty()) continue;
    if (values.size() == kMaxValues) return malformed("The form holds too many parameters.");
    const auto equals = pair.find('=');
    const auto name = percent_decode(pair.substr(0, equals), true);
    const auto value = equals == std::string_view::npos ? std::optional<std::string>("")
                                                        : percent_decode(pair.substr(equals + 1), true);
    if (!name || !value || !is_utf8_without_nul(*name) || !is_utf8_without_nul(*value)) {
      return malformed("The form holds a broken escape, or text that is not UTF-8.");
    }
    if (!values.emplace(*name, *value).second) return malformed("A parameter is given more than once.");
  }
  return values;
}

// Stops at the first value or level that is too many. The text need not be JSON.
bool is_larger_than_allowed(std::string_view text) {
  std::size_t values = 1;
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_string = !in_string;
    if (in_string && c == '\\') ++i;
    if (in_string) continue;
    const bool opens = c == '[' || c == '{';
    const bool closes = c == ']' || c == '}';
    if (opens && ++depth > kMaxDepth) return true;
    if (closes && depth > 0) --depth;
    if ((opens || c == ',') && ++values > kMaxValues) return true;
  }
  return false;
}

Expected<json> parse_json(const std::string& body) {
  // The library takes a NUL for the end of the text. JSON has no NUL, and the bytes after it could be another
  // request.
  if (body.find('\0') != std::string::npos) return malformed("The body is not a JSON object.");
  if (is_larger_than_allowed(body))
    return malformed("The JSON is nested too deeply, or holds too many values.");
  // The library would keep the last of two equal names without an error. But nobody knows which one the
  // client meant.
  std::set<std::string> names;
  bool repeated = false;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::key && depth == 1) {
      repeated = !names.insert(parsed.get<std::string>()).second || repeated;
    }
    return true;
  };
  json values = json::parse(body, watch, false);
  if (values.is_discarded() || !values.is_object()) return malformed("The body is not a JSON object.");
  if (repeated) return malformed("A parameter is given more than once.");
  return values;
}

}  // namespace

Expected<Parameters> Parameters::parse(const HttpRequest& request) {
  const std::string type = media_type(request.header("content-type").value_or(""));
  Parameters parameters;
  parameters.is_form_ = type == "application/x-www-form-urlencoded";
  // An empty body has no parameters, whatever its type is.
  if (request.body.empty()) return parameters;
  if (is_encoded(request)) {
    return Unexpected(
        Failure{415, "body_encoding_unsupported", "Send the body without a Content-Encoding.", accepted()});
  }
  if (request.count("content-type") > 1 || (!parameters.is_form_ && type != "application/json")) {
    return Unexpected(Failure{415, "body_type_unsupported",
                              "Send application/x-www-form-urlencoded or application/json.", accepted()});
  }
  auto parsed = parameters.is_form_ ? parse_form(request.body) : parse_json(request.body);
  if (!parsed) return Unexpected(std::move(parsed.error()));
  parameters.values_ = std::move(*parsed);
  return parameters;
}

Expected<Parameters> Parameters::parse_query(std::string_view query) {
  auto parsed = parse_form(query);
  if (!parsed) {
    return Unexpected(
        Failure{400,
                "parameter_invalid",
                "The query must be UTF-8 with whole escapes, and hold each of a few parameters once.",
                {}});
  }
  Parameters parameters;
  parameters.is_form_ = true;
  parameters.values_ = std::move(*parsed);
  return parameters;
}

Expected<nlohmann::ordered_json> Parameters::read(const std::vector<endpoints::Parameter>& declared) const {
  nlohmann::ordered_json values = nlohmann::ordered_json::object();
  for (const endpoints::Parameter& parameter : declared) {
    const auto given = values_.find(parameter.name);
    if (given == values_.end()) {
      if (parameter.required) return missing(parameter.name);
      continue;
    }
    Value read =
        std::visit([&](const auto& rule) { return value(parameter.name, *given, rule); }, parameter.kind);
    if (!read) return Unexpected(std::move(read.error()));
    values[parameter.name] = std::move(*read);
  }
  return values;
}

Expected<bool> Parameters::flag(const std::string& name) const {
  const auto given = values_.find(name);
  if (given == values_.end()) return false;
  const Value read = value(name, *given, endpoints::Flag{});
  if (!read) return Unexpected(read.error());
  return read->get<bool>();
}

// Decimal notation only.
Parameters::Value Parameters::value(const std::string& name, const json& given,
                                    const endpoints::Decimal& rule) const {
  std::optional<double> number;
  if (is_form_) number = parse_decimal(given.get_ref<const std::string&>());
  if (given.is_number()) number = given.get<double>();
  if (!number || !(*number >= rule.least && *number <= rule.most)) {
    return invalid(name,
                   "a decimal number from " + short_number(rule.least) + " to " + short_number(rule.most));
  }
  return nlohmann::ordered_json(*number);
}

Parameters::Value Parameters::value(const std::string& name, const json& given,
                                    const endpoints::Integer& rule) const {
  std::optional<std::int64_t> number;
  if (is_form_) number = number_of<std::int64_t>(given.get_ref<const std::string&>());
  // 20.0 and 2e1 are integers too, as in JSON Schema. The range is checked first, so that the conversion is
  // defined.
  if (given.is_number_float()) {
    const double decimal = given.get<double>();
    const bool in_range =
        decimal >= static_cast<double>(rule.least) && decimal <= static_cast<double>(rule.most);
    if (in_range && decimal == std::trunc(decimal)) number = static_cast<std::int64_t>(decimal);
  }
  // Integers beyond INT64_MAX are stored as unsigned, and are too large in any case.
  if (given.is_number_integer() && !(given.is_number_unsigned() && given.get<std::uint64_t>() > INT64_MAX)) {
    number = given.get<std::int64_t>();
  }
  if (!number || *number < rule.least || *number > rule.most) {
    return invalid(name,
                   "a whole number from " + std::to_string(rule.least) + " to " + std::to_string(rule.most));
  }
  return nlohmann::ordered_json(*number);
}

Parameters::Value Parameters::value(const std::string& name, const json& given,
                                    const endpoints::Text& rule) const {
  // Counts the characters of UTF-8: the bytes that do not continue a character. PostgreSQL stores no NUL.
  const auto* text = given.get_ptr<const std::string*>();
  const auto characters =
      text == nullptr ? 0
                      : std::count_if(text->begin(), text->end(), [](char c) { return (c & 0xC0) != 0x80; });
  const auto length = static_cast<std::size_t>(characters);
  const bool storable = text != nullptr && text->find('\0') == std::string::npos;
  if (!storable || length < rule.shortest || length > rule.longest) {
    return invalid(name, "a text of " + std::to_string(rule.shortest) + " to " +
                             std::to_string(rule.longest) + " characters");
  }
  return nlohmann::ordered_json(*text);
}

Parameters::Value Parameters::value(const std::string& name, const json& given,
                                    const endpoints::Flag& /*rule*/) const {
  if (given.is_boolean()) return nlohmann::ordered_json(given.get<bool>());
  if (is_form_ && given == "true") return nlohmann::ordered_json(true);
  if (is_form_ && given == "false") return nlohmann::ordered_json(false);
  return invalid(name, "true or false");
}

}  // namespace rocket::api
