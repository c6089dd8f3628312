#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/usage.h"

namespace rocket::api {

// One HTTP/1.x request, complete and unambiguous (RFC 9112).
struct HttpRequest {
  std::string method;
  // Without the query.
  std::string path;
  // What follows the "?", not decoded.
  std::string query{};
  // Names in lower case, in the order in which they came; repeated fields are kept apart.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool keep_alive = true;
  // An HTTP/1.0 client takes its connection for closed unless the answer says otherwise.
  bool http_1_0 = false;
  // The peer's address.
  std::string origin_ip;

  std::size_t count(std::string_view name) const;
  // The first field of this name (in lower case).
  std::optional<std::string_view> header(std::string_view name) const;
  // The value of Connection in the answer (RFC 9112, section 9.3). Empty: the answer has no such field.
  std::string_view connection_option() const;
  // In bytes, roughly.
  std::size_t size_in_memory() const;
};

// Such as "Created" for 201. Empty for a status that we do not use.
std::string_view reason_phrase(int status);

struct HttpResponse {
  int status = 200;
  // JSON unless content_type says otherwise.
  std::string body;
  std::string_view content_type = "application/json";
  std::string_view cache_control = "no-store";
  // The fields in addition to those that every response carries.
  std::vector<std::pair<std::string, std::string>> headers;
  // These are not sent. The code of a failure; the id of the key that another attempt works on, and the id of
  // the user whose credentials were refused, if there is one; and what the limits of the caller count.
  std::string code{};
  std::string key_in_progress{};
  std::string refused_user{};
  Usage usage{};

  // Returns the bytes to send, with the current date. `connection` is the value of Connection; empty: no such
  // field. `with_body` is false for the answer to HEAD. `more` are whole further fields, each with its line
  // end.
  std::string serialize(std::string_view request_id, std::string_view connection, bool with_body,
                        std::string_view more = {}) const;
};

}  // namespace rocket::api
