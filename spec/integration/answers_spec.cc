#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/requests.h"

// The header fields of answers, and the formats of failures.
namespace rocket::spec {
namespace {

using nlohmann::json;

constexpr const char* kProblem = "application/problem+json";

class AnswersSpec : public testing::Test {
 protected:
  TestDatabase database_;
  ApiProcess api_{database_, {{"API_REQUEST_TIMEOUT_MS", "300"}}};
};

TEST_F(AnswersSpec, SayWhenTheyWereMade) {
  for (const ClientRequest& request :
       {ride_request(new_key()), ride_request("short"), get_request("/account"), get_request("/"),
        get_request("/nothing"), get_request("/readyz")}) {
    const auto answer = api_.send(request);
    EXPECT_EQ(answer.count("date"), 1U) << request.target;
    EXPECT_TRUE(answer.header("date").ends_with(" GMT")) << request.target;
  }
}

TEST_F(AnswersSpec, SayWhereToSeeARide) {
  const ClientRequest request = ride_request(new_key());
  const auto booked = api_.send(request);
  EXPECT_EQ(booked.header("location"), "/rides/" + database_.value("SELECT id FROM rides"));
  const auto shown = api_.send(get_request(booked.header("location")));
  EXPECT_EQ(shown.status, 200);
  EXPECT_EQ(json::parse(shown.body).at("ride").at("id"), json::parse(booked.body).at("ride").at("id"));
  EXPECT_EQ(api_.send(request).header("location"), booked.header("location"));
  EXPECT_EQ(api_.send(request.with("Accept", kProblem)).header("location"), booked.header("location"));
}

TEST_F(AnswersSpec, SayWhereToSeeADeposit) {
  const auto deposited = api_.send(deposit_request(kUser, "5"));
  EXPECT_EQ(deposited.status, 201);
  EXPECT_EQ(deposited.header("location"), "/account");
}

TEST_F(AnswersSpec, SayNoPlaceWhereNothingWasMade) {
  EXPECT_EQ(api_.send(ride_request(new_key(), kDeclinedUser)).count("location"), 0U);
  EXPECT_EQ(api_.send(ride_request("short")).count("location"), 0U);
  api_.send(ride_request(new_key()));
  EXPECT_EQ(api_.send(cancel_request(database_.value("SELECT max(id) FROM rides"))).count("location"), 0U);
}

// A ride has only one path. Every other way to write its number gives 404, for all methods.
TEST_F(AnswersSpec, KnowOneNameForARide) {
  api_.send(ride_request(new_key()));
  const std::string id = database_.value("SELECT id FROM rides");
  for (const std::string& other : {"0" + id, "00" + id, "%30" + id}) {
    EXPECT_EQ(api_.send(get_request("/rides/" + other)).status, 404) << other;
    EXPECT_EQ(api_.send(cancel_request(other)).status, 404) << other;
  }
  EXPECT_EQ(api_.send(get_request("/rides/" + id)).status, 200);
  EXPECT_EQ(api_.send(cancel_request(id)).status, 200);
}

TEST_F(AnswersSpec, ToOptionsSayWhatIsAllowed) {
  HttpConnection connection = api_.connect();
  const auto allowed = [&](const std::string& target) {
    const auto answer = connection.exchange({"OPTIONS", target, {}, ""});
    EXPECT_EQ(answer.status, 204) << target;
    EXPECT_EQ(answer.count("content-length") + answer.count("content-type"), 0U);
    EXPECT_EQ(answer.count("date"), 1U);
    EXPECT_EQ(answer.count("access-control-allow-origin") + answer.count("vary"), 0U);
    return answer.header("allow");
  };
  EXPECT_EQ(allowed("/rides"), "POST, GET, HEAD, OPTIONS");
  EXPECT_EQ(allowed("/rides/1"), "DELETE, GET, HEAD, OPTIONS");
  EXPECT_EQ(allowed("/deposits"), "POST, GET, HEAD, OPTIONS");
  EXPECT_EQ(allowed("/healthz"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(allowed("*"), "POST, DELETE, GET, HEAD, OPTIONS");
  EXPECT_EQ(connection.exchange({"OPTIONS", "/nothing", {}, ""}).status, 404);
  const auto other = connection.exchange({"PATCH", "/rides", {}, ""});
  EXPECT_EQ(other.status, 405);
  EXPECT_EQ(other.header("allow"), "POST, GET, HEAD, OPTIONS");
}

TEST_F(AnswersSpec, MayBeSeenByPagesOfAllowedOrigins) {
  const ApiProcess open(database_, {{"API_CORS_ORIGINS", "https://app.example.com, http://localhost:3000"}});
  const auto asked_by = [&](const ClientRequest& request, const std::string& origin) {
    return open.send(request.with("Origin", origin));
  };
  const ClientRequest ride = ride_request(new_key());
  const auto seen = asked_by(ride, "http://localhost:3000");
  EXPECT_EQ(seen.status, 201) << seen.body;
  EXPECT_EQ(seen.header("access-control-allow-origin"), "http://localhost:3000");
  EXPECT_NE(seen.header("access-control-expose-headers").find("Idempotent-Replayed"), std::string::npos);
  EXPECT_EQ(asked_by(get_request("/nothing"), "https://app.example.com").count("access-control-allow-origin"),
            1U);
  const ClientRequest preflight{"OPTIONS", "/rides", {{"Access-Control-Request-Method", "POST"}}, ""};
  const auto allowed = asked_by(preflight, "https://app.example.com");
  EXPECT_EQ(allowed.status, 204);
  EXPECT_EQ(allowed.header("access-control-allow-origin"), "https://app.example.com");
  EXPECT_EQ(allowed.header("access-control-allow-methods"), "POST, GET, HEAD, OPTIONS");
  EXPECT_NE(allowed.header("access-control-allow-headers").find("Idempotency-Key"), std::string::npos);
  for (const ClientRequest& request : {ride, preflight}) {
    const auto unseen = asked_by(request, "https://evil.example.com");
    EXPECT_EQ(unseen.count("access-control-allow-origin"), 0U);
    EXPECT_EQ(unseen.header("vary"), "Origin");
  }
}

// Without the CORS fields the browser hides the answer, and the page could not tell why its request failed.
TEST_F(AnswersSpec, ToWhatIsNoRequestMayBeSeenByPagesToo) {
  const ApiProcess open(
      database_, {{"API_CORS_ORIGINS", "https://app.example.com"}, {"API_REQUEST_TIMEOUT_MS", "1000"}});
  const auto refused = [&](const std::string& start, const std::string& origin, const std::string& rest) {
    HttpConnection connection = open.connect();
    connection.send(start + "\r\nHost: localhost\r\nOrigin: " + origin + "\r\n" + rest);
    return connection.receive();
  };
  const auto expect_seen = [&](int status, const std::string& start, const std::string& rest) {
    const auto seen = refused(start, "https://app.example.com", rest);
    EXPECT_EQ(seen.status, status) << seen.body;
    EXPECT_EQ(seen.header("access-control-allow-origin"), "https://app.example.com") << status;
    EXPECT_EQ(seen.header("vary"), "Origin") << status;
  };
  expect_seen(400, "POST /rides HTTP/1.1", "Transfer-Encoding: gzip\r\n\r\n");
  expect_seen(413, "POST /rides HTTP/1.1", "Content-Length: 70000\r\n\r\n");
  expect_seen(413, "POST /rides HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\n15000\r\n");
  expect_seen(414, "GET /" + std::string(5000, 'x') + " HTTP/1.1", "\r\n");
  expect_seen(431, "GET / HTTP/1.1", "X: " + std::string(20'000, 'x'));
  // The body never comes.
  expect_seen(408, "POST /rides HTTP/1.1", "Content-Length: 3\r\n\r\n");
  const auto unseen = refused("GET / HTTP/3.0", "https://evil.example.com", "\r\n");
  EXPECT_EQ(unseen.status, 505);
  EXPECT_EQ(unseen.count("access-control-allow-origin"), 0U);
}

TEST(CorsOrigins, AreNamedCorrectlyOrTheApiDoesNotStart) {
  const Finished api = run_to_end(
      "api", {{"DATABASE_URL", "postgresql:///nothing"}, {"API_CORS_ORIGINS", "https://app.example.com/"}});
  EXPECT_EQ(api.exit.code, 2);
  EXPECT_NE(api.output.find("API_CORS_ORIGINS"), std::string::npos) << api.output;
}

// This holds for malformed requests too: the client may have sent its Accept field before the error.
TEST_F(AnswersSpec, AreProblemsForWhoAsksForThem) {
  const std::string fields = "Host: localhost\r\nAccept: " + std::string(kProblem) + "\r\n";
  const std::string half = ride_request(new_key()).with("Accept", kProblem).to_bytes();
  const std::vector<std::pair<std::string, int>> refused{
      {"GET / HTTP/3.0\r\n" + fields + "\r\n", 505},
      {"GET /" + std::string(5000, 'x') + " HTTP/1.1\r\n" + fields + "\r\n", 414},
      {"GET / HTTP/1.1\r\n" + fields + "X: " + std::string(20'000, 'x') + "\r\n\r\n", 431},
      {"POST / HTTP/1.1\r\n" + fields + "Content-Length: 70000\r\n\r\n", 413},
      {"POST / HTTP/1.1\r\n" + fields + "Transfer-Encoding: chunked\r\n\r\n10001\r\n", 413},
      {"POST / HTTP/1.1\r\n" + fields + "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400},
      {"POST / HTTP/1.1\r\n" + fields + "Expect: tea\r\n\r\n", 417},
      {"POST / HTTP/1.1\r\n" + fields + "Content-Length: x\r\n\r\n", 400},
      {half.substr(0, half.size() - 5), 408},
      {"GET / HTTP/1.1\r\n" + fields, 408},
      {"GET /nothing HTTP/1.1\r\n" + fields + "\r\n", 404},
      {"PATCH / HTTP/1.1\r\n" + fields + "\r\n", 405},
  };
  for (const auto& [bytes, status] : refused) {
    HttpConnection connection = api_.connect();
    connection.send(bytes);
    const auto answer = connection.receive();
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.header("content-type"), kProblem) << status;
    const auto problem = json::parse(answer.body, nullptr, false);
    EXPECT_EQ(problem.value("status", 0), status) << answer.body;
    EXPECT_NE(problem.value("code", ""), "") << answer.body;
    EXPECT_NE(problem.value("detail", ""), "") << answer.body;
  }
}

}  // namespace
}  // namespace rocket::spec
