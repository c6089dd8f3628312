#include "spec/support/provider/http.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace rocket::spec::provider {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      result += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      result += text[i] == '+' ? ' ' : text[i];
    }
  }
  return result;
}

std::string value_in(const Fields& fields, const std::string& name) {
  const auto found = fields.find(name);
  return found == fields.end() ? "" : found->second;
}

// Removes the text before the separator, and the separator, from the front. Returns that text.
std::string_view next(std::string_view& text, std::string_view separator) {
  const auto end = text.find(separator);
  const std::string_view first = text.substr(0, end);
  text = end == std::string_view::npos ? "" : text.substr(end + separator.size());
  return first;
}

}  // namespace

std::string Request::header(const std::string& lower_name) const { return value_in(headers, lower_name); }

std::string Request::field(const std::string& name) const { return value_in(fields, name); }

std::string Response::to_bytes() const {
  std::string bytes = "HTTP/1.1 " + std::to_string(status) + " Said\r\n";
  for (const auto& [name, value] : headers) bytes += name + ": " + value + "\r\n";
  return bytes + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

Fields read_form(std::string_view text) {
  Fields fields;
  while (!text.empty()) {
    std::string_view pair = next(text, "&");
    const std::string_view name = next(pair, "=");
    fields[decoded(name)] = decoded(pair);
  }
  return fields;
}

Request read_head(std::string_view head, std::size_t& length) {
  Request request;
  std::string_view line = next(head, "\r\n");
  request.method = next(line, " ");
  std::string_view target = next(line, " ");
  if (request.method.empty() || !target.starts_with('/')) throw std::invalid_argument("not HTTP");
  request.path = next(target, "?");
  request.fields = read_form(target);
  for (line = next(head, "\r\n"); !line.empty(); line = next(head, "\r\n")) {
    const std::string_view name = next(line, ":");
    const auto begin = line.find_first_not_of(' ');
    request.headers[lower(std::string(name))] = begin == std::string_view::npos ? "" : line.substr(begin);
  }
  const std::string text = request.header("content-length");
  length = text.empty() ? 0 : std::stoul(text);
  return request;
}

}  // namespace rocket::spec::provider
