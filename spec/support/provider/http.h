#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

// As much of HTTP/1.1 as the provider needs to understand libcurl.
namespace rocket::spec::provider {

using Fields = std::map<std::string, std::string>;

struct Request {
  std::string method;
  std::string path;
  // Names in lower case.
  Fields headers;
  // Of the form in the body, or of the query.
  Fields fields;

  // Empty when there is none.
  std::string header(const std::string& lower_name) const;
  std::string field(const std::string& name) const;
};

struct Response {
  int status = 200;
  Fields headers;
  std::string body;

  std::string to_bytes() const;
};

// The head, up to and with its empty line; `length` is set to that of the body to come. Throws
// std::invalid_argument.
Request read_head(std::string_view head, std::size_t& length);
// name=value&…, percent-encoded.
Fields read_form(std::string_view text);

}  // namespace rocket::spec::provider
