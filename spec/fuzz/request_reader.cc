#include "api/request_reader.h"

#include <algorithm>
#include <cstddef>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "spec/fuzz/property.h"

// Properties: the requests, the refusal and the bytes left over do not depend on how the input was cut. No
// request comes after a refusal. The buffer keeps within its limit. A request has only one reading: if it is
// written again, it reads the same, also with its body in chunks.
//
// The input is the bytes that a client sends. It is cut at each "|".
namespace rocket::fuzz {
namespace {

using api::HttpRequest;
using api::RequestReader;

// Small limits, so that inputs reach them.
constexpr api::RequestLimits kLimits{.head_bytes = 160, .headers = 6, .target_bytes = 32, .body_bytes = 48};

struct Reading {
  std::vector<HttpRequest> requests;
  // Zero if nothing was refused.
  int refused = 0;
  std::string refusal;
  std::string left;
  bool awaits_body = false;
};

// Works like the transport: adds each piece to the buffer, then reads as many requests as possible.
Reading read(const std::vector<std::string_view>& pieces) {
  RequestReader reader(kLimits);
  Reading reading;
  api::InputBuffer buffer;
  bool was_asked = false;
  for (const std::string_view piece : pieces) {
    buffer.append(piece);
    for (;;) {
      auto result = reader.next(buffer);
      if (const auto* refused = std::get_if<RequestReader::ProtocolError>(&result)) {
        must(refused->status >= 400 && !refused->code.empty() && !refused->error.empty(),
             "a refusal says why");
        reading.refused = refused->status;
        reading.refusal = refused->code + ": " + refused->error;
        return reading;
      }
      if (const auto* more = std::get_if<RequestReader::NeedsMore>(&result)) {
        must(buffer.size() <= reader.buffer_limit(), "the buffer keeps within its limit");
        must(!more->expects_continue || !was_asked, "a body is asked for once");
        was_asked = was_asked || more->expects_continue;
        break;
      }
      was_asked = false;
      reading.requests.push_back(std::move(std::get<HttpRequest>(result)));
    }
  }
  reading.left = buffer.view();
  reading.awaits_body = reader.awaits_body();
  return reading;
}

// Compares everything except what the version and the fields say about the connection.
bool same(const HttpRequest& a, const HttpRequest& b) {
  return a.method == b.method && a.path == b.path && a.headers == b.headers && a.body == b.body;
}

bool same(const Reading& a, const Reading& b) {
  if (a.requests.size() != b.requests.size()) return false;
  for (std::size_t i = 0; i < a.requests.size(); ++i) {
    if (!same(a.requests[i], b.requests[i]) || a.requests[i].keep_alive != b.requests[i].keep_alive)
      return false;
  }
  return a.refused == b.refused && a.refusal == b.refusal && a.left == b.left &&
         a.awaits_body == b.awaits_body;
}

void must_be_unambiguous(const HttpRequest& request) {
  for (const char c : request.path) must(c > ' ' && c < '\x7f' && c != '?', "a path is visible ASCII");
  must(request.path.starts_with('/') || request.path == "*", "a path is absolute");
  must(request.headers.size() <= kLimits.headers, "fields are counted");
  for (const auto& [name, value] : request.headers) {
    must(!name.empty() && name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ: \t") == std::string::npos,
         "a field's name is a token in lower case");
    must(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
         "a field's value is one line");
  }
  must(request.count("host") <= 1 && request.count("transfer-encoding") == 0, "one host, one framing");
  must(request.body.size() <= kLimits.body_bytes, "a body keeps within its limit");
  const std::string_view length = request.header("content-length").value_or("0");
  const auto digits = length.find_first_not_of('0');
  must(digits == std::string_view::npos ? request.body.empty()
                                        : length.substr(digits) == std::to_string(request.body.size()),
       "a body is as long as it says");
}

std::string written(const HttpRequest& request) {
  std::string bytes = request.method + ' ' + request.path;
  bytes += request.count("host") > 0 ? " HTTP/1.1" : " HTTP/1.0";
  for (const auto& [name, value] : request.headers)
    bytes.append("\r\n").append(name).append(":").append(value);
  return bytes + "\r\n\r\n" + request.body;
}

// The same request in chunks of one byte, two bytes, three bytes, and so on.
std::string written_in_chunks(const HttpRequest& request) {
  HttpRequest head = request;
  std::erase_if(head.headers, [](const auto& field) { return field.first == "content-length"; });
  head.headers.emplace_back("transfer-encoding", "chunked");
  head.body.clear();
  std::string bytes = written(head);
  std::string_view left = request.body;
  for (std::size_t size = 1; !left.empty(); ++size) {
    const std::string_view chunk = left.substr(0, size);
    left.remove_prefix(chunk.size());
    std::ostringstream line;
    line << std::hex << chunk.size();
    bytes.append(line.str()).append("\r\n").append(chunk).append("\r\n");
  }
  return bytes + "0\r\n\r\n";
}

void must_read_the_same_in_chunks(const HttpRequest& request) {
  // HTTP/1.0 has no chunks.
  if (request.count("host") == 0) return;
  const Reading again = read({written_in_chunks(request)});
  // The head with the added field may be too large.
  if (again.refused == 431) return;
  must(again.requests.size() == 1 && again.left.empty(), "a body in chunks is a body");
  HttpRequest expected = request;
  std::erase_if(expected.headers, [](const auto& field) { return field.first == "content-length"; });
  expected.headers.emplace_back("content-length", std::to_string(request.body.size()));
  must(same(again.requests.front(), expected), "a request in chunks reads the same");
}

void read_cut(std::string_view input) {
  std::string whole;
  std::vector<std::string_view> cut;
  while (!input.empty()) {
    cut.push_back(input.substr(0, input.find('|')));
    whole += cut.back();
    input.remove_prefix(std::min(input.size(), cut.back().size() + 1));
  }
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < whole.size(); ++i) bytes.push_back(std::string_view(whole).substr(i, 1));

  const Reading at_once = read({whole});
  must(same(at_once, read(cut)), "what is read does not depend on where it was cut");
  must(same(at_once, read(bytes)), "what is read does not depend on whether it was cut everywhere");
  for (const HttpRequest& request : at_once.requests) {
    must_be_unambiguous(request);
    const Reading again = read({written(request)});
    must(again.requests.size() == 1 && same(again.requests.front(), request) && again.left.empty(),
         "a request that is written down again reads the same");
    must_read_the_same_in_chunks(request);
  }
}

}  // namespace
}  // namespace rocket::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocket::fuzz::read_cut(rocket::fuzz::text_of(data, size));
  return 0;
}
