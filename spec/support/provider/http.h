#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

// The part of HTTP/1.1 that the provider needs in order to talk to libcurl.
namespace rocket::spec::provider {

using Fields = std::map<std::string, std::string>;

struct Request {
  std::string method;
  std::string path;
  // Names in lower case.
  Fields headers;
  // The fields of the form in the body, or of the query.
  Fields fields;

  // Empty if there is no such header.
  std::string header(const std::string& lower_name) const;
  std::string field(const std::string& name) const;
};

struct Response {
  int status = 200;
  Fields headers;
  std::string body;

  std::string to_bytes() const;
};

// Parses a head, which ends with its empty line. Sets `length` to the length of the body that follows. Throws
// std::invalid_argument.
Request read_head(std::string_view head, std::size_t& length);
// Parses percent-encoded name=value pairs that are joined by "&".
Fields read_form(std::string_view text);

}  // namespace rocket::spec::provider
