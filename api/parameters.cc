#include "api/parameters.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

namespace rocket::api {
namespace {

using nlohmann::json;

Failure malformed(std::string error) { return {400, "body_malformed", std::move(error), {}}; }

Failure missing(const std::string& name) {
  return {422, "parameter_missing", "The parameter " + name + " is missing.", {}};
}

Failure invalid(const std::string& name, const std::string& rule) {
  return {422, "parameter_invalid", "The parameter " + name + " must be " + rule + ".", {}};
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
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

// -12.5, 007, .5, 1e3: what a person would type as a decimal number, and nothing else that a C library takes.
std::optional<double> parse_decimal(std::string_view text) {
  if (text.empty() || text.size() > 64 ||
      text.find_first_not_of("0123456789.-eE+") != std::string_view::npos) {
    return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string short_number(double value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

std::string media_type(std::string_view field) {
  std::string type(field.substr(0, field.find(';')));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return type;
}

OrFailure<json> parse_form(std::string_view body) {
  json values = json::object();
  while (!body.empty()) {
    const auto end = body.find('&');
    const std::string_view pair = body.substr(0, end);
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
    if (pair.empty()) continue;
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

OrFailure<json> parse_json(const std::string& body) {
  // The library would keep the last of two equal names; a client that sends both means neither.
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

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      plain += ' ';
    } else if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      plain += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

OrFailure<Parameters> Parameters::parse(const HttpRequest& request) {
  const std::string type = media_type(request.header("content-type").value_or(""));
  Parameters parameters;
  parameters.is_form_ = type == "application/x-www-form-urlencoded";
  // No body at all is a form without parameters.
  if (type.empty() && request.body.empty()) return parameters;
  if (request.count("content-type") > 1 || (!parameters.is_form_ && type != "application/json")) {
    return Failure{415,
                   "body_type_unsupported",
                   "Send application/x-www-form-urlencoded or application/json.",
                   {{"Accept", "application/x-www-form-urlencoded, application/json"}}};
  }
  auto parsed = parameters.is_form_ ? parse_form(request.body) : parse_json(request.body);
  if (auto* failure = std::get_if<Failure>(&parsed)) return std::move(*failure);
  parameters.values_ = std::move(std::get<json>(parsed));
  return parameters;
}

OrFailure<double> Parameters::decimal(const std::string& name, double least, double most) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return missing(name);
  std::optional<double> value;
  if (is_form_) value = parse_decimal(found->get_ref<const std::string&>());
  if (found->is_number()) value = found->get<double>();
  if (!value || !(*value >= least && *value <= most)) {
    return invalid(name, "a decimal number from " + short_number(least) + " to " + short_number(most));
  }
  return *value;
}

OrFailure<std::int64_t> Parameters::integer(const std::string& name, std::int64_t least,
                                            std::int64_t most) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return missing(name);
  std::optional<std::int64_t> value;
  if (is_form_) value = parse_integer(found->get_ref<const std::string&>());
  // Larger ones are stored as unsigned, and are too large in any case.
  if (found->is_number_integer() &&
      !(found->is_number_unsigned() && found->get<std::uint64_t>() > INT64_MAX)) {
    value = found->get<std::int64_t>();
  }
  if (!value || *value < least || *value > most) {
    return invalid(name, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return *value;
}

OrFailure<bool> Parameters::flag(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return false;
  if (found->is_boolean()) return found->get<bool>();
  if (is_form_ && *found == "true") return true;
  if (is_form_ && *found == "false") return false;
  return invalid(name, "true or false");
}

}  // namespace rocket::api
