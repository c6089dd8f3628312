#include "api/failure.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "api/request_checks.h"
#include "spec/fuzz/property.h"

// Properties: for any text in a failure and any request id of the caller, the answer is one head of whole
// lines and one JSON object of the announced length. A stored failure becomes a problem (RFC 9457) with the
// same content.
//
// The input is an X-Request-Id, a line feed, a code, a line feed, and the text of an error.
namespace rocket::fuzz {
namespace {

using nlohmann::json;

std::string next_line(std::string& text) {
  const auto end = std::min(text.find('\n'), text.size());
  std::string line = text.substr(0, end);
  text.erase(0, end + 1);
  return line;
}

void must_be_one_answer(const api::HttpResponse& response, const std::string& request_id) {
  const std::string bytes = response.serialize(request_id, "", true);
  const auto end = bytes.find("\r\n\r\n");
  must(end != std::string::npos && bytes.compare(end + 4, std::string::npos, response.body) == 0,
       "the body follows the head");
  const std::string_view head = std::string_view(bytes).substr(0, end + 2);
  const std::string length = "\r\nContent-Length: " + std::to_string(response.body.size()) + "\r\n";
  must(head.find(length) != std::string_view::npos, "the answer says how long it is");
  std::size_t lines = 0;
  for (auto at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at + 1)) ++lines;
  constexpr std::size_t kLinesOfAll = 7;
  must(lines == kLinesOfAll + response.headers.size(), "nobody but us writes lines of the head");
}

void answer(std::string input) {
  api::HttpRequest request;
  request.headers.emplace_back("x-request-id", next_line(input));
  const std::string code = next_line(input);
  const api::Failure failure{409, code, input, {{"Retry-After", "1"}}};
  // The failure that a flow would store. Bytes that are not UTF-8 are replaced, because JSON cannot hold
  // them.
  const std::string stored =
      json{{"error", input}, {"code", code}}.dump(-1, ' ', false, json::error_handler_t::replace);
  const json expected = json::parse(stored);

  // Only one of the two checks for each input, to save time.
  const bool as_problem = input.size() % 2 == 1;
  const api::HttpResponse response = api::render(failure, as_problem);
  must_be_one_answer(response, api::request_id_of(request));
  const json body = json::parse(response.body, nullptr, false);
  must(body.is_object(), "a failure is JSON");
  must(body.at("code") == expected.at("code"), "it says its code");
  must(body.at(as_problem ? "detail" : "error") == expected.at("error"), "it says what is wrong");

  const std::string from_stored = api::render_stored(409, stored, as_problem).body;
  must(from_stored == (as_problem ? response.body : stored), "a stored failure says the same");
  must(api::render_stored(201, stored, true).body == stored, "a success is no problem");
}

}  // namespace
}  // namespace rocket::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocket::fuzz::answer(rocket::fuzz::text_of(data, size));
  return 0;
}
