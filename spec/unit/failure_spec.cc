#include "api/failure.h"

#include <gtest/gtest.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>

namespace rocket::api {
namespace {

TEST(AcceptsProblem, WhenAskedForByName) {
  for (const char* accept :
       {"application/problem+json", "Application/Problem+JSON", "application/json, application/problem+json",
        "text/html,application/problem+json;q=0.5", "application/problem+json;q=1",
        "application/problem+json; charset=utf-8", " application/problem+json ",
        "application/problem+json;q=0.001", "application/problem+json;q=0, application/problem+json"}) {
    EXPECT_TRUE(accepts_problem(accept)) << accept;
  }
}

TEST(AcceptsProblem, WhenAskedForByAnyOfSeveralFields) {
  HttpRequest request;
  EXPECT_FALSE(accepts_problem(request));
  request.headers = {{"accept", "application/json"}, {"x-other", "application/problem+json"}};
  EXPECT_FALSE(accepts_problem(request));
  request.headers.emplace_back("accept", "text/html, application/problem+json");
  EXPECT_TRUE(accepts_problem(request));
}

TEST(AcceptsProblem, OnlyThen) {
  for (const char* accept :
       {"", ",", ";", "*/*", "application/*", "application/json", "application/problem+xml",
        "application/problem+jsonx", "xapplication/problem+json", "application/problem+json;q=0",
        "application/problem+json; q=0.0", "application/problem+json;Q=0.000",
        "application/problem+json;charset=utf-8;q=0"}) {
    EXPECT_FALSE(accepts_problem(accept)) << accept;
  }
}

const Failure kFailure{503, "overloaded", "Wait.", {{"Retry-After", "1"}}};

TEST(RenderedFailure, IsErrorAndCode) {
  const auto response = render(kFailure, false);
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.body, R"({"error":"Wait.","code":"overloaded"})");
  EXPECT_EQ(response.headers, kFailure.headers);
}

// RFC 9457.
TEST(RenderedFailure, IsAProblemWhenAskedFor) {
  const auto response = render(kFailure, true);
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.headers, kFailure.headers);
  const auto problem = nlohmann::json::parse(response.body);
  EXPECT_EQ(problem.at("type"), "about:blank");
  EXPECT_EQ(problem.at("status"), 503);
  EXPECT_EQ(problem.at("detail"), "Wait.");
  EXPECT_EQ(problem.at("code"), "overloaded");
  EXPECT_FALSE(problem.at("title").get<std::string>().empty());
}

TEST(RenderedFailure, IsJsonWhateverItsText) {
  const Failure odd{400, "odd", "\xff \"quoted\" \n", {}};
  EXPECT_EQ(nlohmann::json::parse(render(odd, false).body).at("code"), "odd");
  EXPECT_EQ(nlohmann::json::parse(render(odd, true).body).at("code"), "odd");
}

TEST(RenderedFailure, LeadsToThePolicyWhenItIsAboutTheKey) {
  for (const bool as_problem : {false, true}) {
    for (const char* code : {"idempotency_key_missing", "idempotency_key_invalid", "idempotency_key_reused",
                             "idempotency_key_not_found", "request_in_progress", "request_parked"}) {
      const auto response = render({409, code, "No.", {{"Retry-After", "1"}}}, as_problem);
      ASSERT_EQ(response.headers.size(), 2U) << code;
      EXPECT_EQ(response.headers[1].first, "Link");
      EXPECT_TRUE(response.headers[1].second.starts_with("</docs/idempotency>; rel=\"describedby\""));
    }
  }
}

TEST(RenderedFailure, SaysNothingOfTheCauseByDefault) {
  const auto response = render({}, false);
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(nlohmann::json::parse(response.body).at("code"), "internal");
}

constexpr const char* kDeclined = R"({"error":"Your card was declined.","code":"card_declined"})";

TEST(StoredAnswer, KeepsItsBytes) {
  const std::string odd = R"({ "message" : "spaced" })";
  EXPECT_EQ(render_stored(201, odd, false).body, odd);
  EXPECT_EQ(render_stored(201, odd, true).body, odd);
  EXPECT_EQ(render_stored(201, odd, true).content_type, "application/json");
  EXPECT_EQ(render_stored(402, kDeclined, false).body, kDeclined);
}

TEST(StoredAnswer, BecomesAProblemWhenAFailure) {
  const auto response = render_stored(402, kDeclined, true);
  EXPECT_EQ(response.status, 402);
  EXPECT_EQ(response.content_type, "application/problem+json");
  const auto problem = nlohmann::json::parse(response.body);
  EXPECT_EQ(problem.at("detail"), "Your card was declined.");
  EXPECT_EQ(problem.at("code"), "card_declined");
}

TEST(StoredAnswer, KeepsWhatElseItSaysAsAProblem) {
  const auto response = render_stored(
      402, R"({"error":"No.","code":"card_declined","decline_code":"insufficient_funds"})", true);
  const auto problem = nlohmann::json::parse(response.body);
  EXPECT_EQ(problem.at("decline_code"), "insufficient_funds");
  EXPECT_EQ(problem.at("detail"), "No.");
  EXPECT_FALSE(problem.contains("error"));
}

TEST(HttpResponse, SaysHowLongItIs) {
  HttpResponse response;
  response.status = 404;
  response.body = "{}";
  const std::string bytes = response.serialize("abc", "", true);
  EXPECT_TRUE(bytes.starts_with("HTTP/1.1 404 Not Found\r\n")) << bytes;
  EXPECT_TRUE(bytes.ends_with("\r\n\r\n{}")) << bytes;
  EXPECT_NE(bytes.find("\r\nContent-Type: application/json\r\n"), std::string::npos);
  EXPECT_NE(bytes.find("\r\nContent-Length: 2\r\n"), std::string::npos);
  EXPECT_NE(bytes.find("\r\nX-Request-Id: abc\r\n"), std::string::npos);
  EXPECT_EQ(bytes.find("Connection:"), std::string::npos);
}

// RFC 9110, section 6.6.1.
TEST(HttpResponse, SaysWhenItWasMade) {
  const auto before = std::time(nullptr);
  const std::string bytes = HttpResponse{}.serialize("abc", "", true);
  const auto after = std::time(nullptr);
  std::smatch found;
  ASSERT_TRUE(std::regex_search(bytes, found, std::regex("\r\nDate: ([^\r]*) GMT\r\n"))) << bytes;
  std::tm parts{};
  ASSERT_NE(::strptime(found.str(1).c_str(), "%a, %d %b %Y %H:%M:%S", &parts), nullptr) << bytes;
  const auto made = ::timegm(&parts);
  EXPECT_GE(made, before);
  EXPECT_LE(made, after);
}

TEST(HttpResponse, SaysWhatItsConnectionDoes) {
  const auto says = [](const std::string& option) {
    const std::string bytes = HttpResponse{}.serialize("abc", option, true);
    return bytes.find("\r\nConnection: " + option + "\r\n") != std::string::npos;
  };
  EXPECT_TRUE(says("close"));
  EXPECT_TRUE(says("keep-alive"));
}

TEST(HttpResponse, ToHeadHasTheSameHeadAndNoBody) {
  HttpResponse response;
  response.body = "{\"a\":1}";
  const std::string bytes = response.serialize("abc", "close", false);
  EXPECT_TRUE(bytes.ends_with("\r\n\r\n")) << bytes;
  EXPECT_NE(bytes.find("\r\nContent-Length: 7\r\n"), std::string::npos);
  EXPECT_NE(bytes.find("\r\nConnection: close\r\n"), std::string::npos);
}

TEST(HttpResponse, SaysNothingOfContentThatIsNotModified) {
  HttpResponse response;
  response.status = 304;
  response.cache_control = "no-cache";
  std::string bytes = response.serialize("abc", "", true);
  const auto date = bytes.find("Date: ");
  ASSERT_NE(date, std::string::npos);
  bytes.erase(date, bytes.find('\n', date) + 1 - date);
  EXPECT_EQ(bytes,
            "HTTP/1.1 304 Not Modified\r\nCache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n"
            "X-Request-Id: abc\r\n\r\n");
}

}  // namespace
}  // namespace rocket::api
