#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <string>

#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/front_proxy.h"
#include "spec/support/requests.h"

// The api behind nginx and HAProxy with the configuration of docs/proxies. The client is curl with TLS, over
// HTTP/1.1 and HTTP/2.
namespace rocket::spec {
namespace {

using Kind = FrontProxy::Kind;

class FrontProxies : public testing::TestWithParam<Kind> {
 protected:
  static Environment settings() { return FrontProxy::settings_of_api(GetParam()); }

  // Runs curl as a client with another address than the proxy's. Fails if a server does not speak `version`.
  std::string curl(const std::string& version, const std::string& rest) const {
    const Finished finished = run_to_end(
        "/bin/sh", {{"URL", proxy_.url()}, {"CA", proxy_.certificate()}},
        {"-c", "printf '" + std::string(kRideForm) + "' | curl -sS --http" + version +
                   " -4 --interface 127.0.0.2 --cacert $CA -H 'Authorization: user@example.com' " + rest});
    EXPECT_EQ(finished.exit.code, 0) << finished.output;
    return finished.output;
  }
  std::string ride(const std::string& version, const std::string& key,
                   const std::string& more = "-d @-") const {
    return curl(version, "-i -w '\\n%{http_code}' -H 'Idempotency-Key: " + key + "' " + more + " $URL/rides");
  }
  // HAProxy notices the api some time later.
  bool is_served() const {
    return eventually([&] { return curl("1.1", "-o /dev/null -w '%{http_code}' $URL/healthz") == "200"; });
  }

  TestDatabase database_;
  std::optional<ApiProcess> api_{std::in_place, database_, settings()};
  FrontProxy proxy_{GetParam(), api_->port()};
};

INSTANTIATE_TEST_SUITE_P(Both, FrontProxies, testing::Values(Kind::kNginx, Kind::kHaproxy),
                         [](const auto& kind) { return kind.param == Kind::kNginx ? "Nginx" : "Haproxy"; });

TEST_P(FrontProxies, CarryRidesAndTellWhoseTheyAre) {
  ASSERT_TRUE(is_served());
  for (const auto& [version, status_line] :
       {std::pair<std::string, std::string>{"1.1", "HTTP/1.1 201"}, {"2", "HTTP/2 201"}}) {
    const std::string key = new_key();
    // The client's own X-Forwarded-For must be ignored.
    const std::string first = ride(version, key, "-d @- -H 'X-Forwarded-For: 192.0.2.66'");
    EXPECT_TRUE(first.starts_with(status_line)) << first;
    const std::string again = ride(version, key);
    EXPECT_TRUE(again.starts_with(status_line)) << again;
    EXPECT_EQ(first.substr(first.rfind("\r\n\r\n")), again.substr(again.rfind("\r\n\r\n")));
    std::string lower = again;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    EXPECT_NE(lower.find("idempotent-replayed: true"), std::string::npos) << again;
    // The body comes in chunks (HTTP/1.1), or without a length (HTTP/2).
    const std::string streamed =
        ride(version, new_key(), "-X POST -T - -H 'Content-Type: application/x-www-form-urlencoded'");
    EXPECT_TRUE(streamed.ends_with("\n201")) << streamed;
  }
  EXPECT_EQ(database_.count("rides"), 4);
  EXPECT_EQ(database_.count("audit_records", "host(origin_ip) = '127.0.0.2'"), 4);
}

TEST_P(FrontProxies, KeepConnectionsOpen) {
  ASSERT_TRUE(is_served());
  for (const char* version : {"1.1", "2"}) {
    const std::string lines = curl(
        version, "-o /dev/null -w '%{http_code} %{num_connects}\\n' -d amount=1 \"$URL/deposits?[1-100]\"");
    std::string expected = "201 1\n";
    for (int i = 1; i < 100; ++i) expected += "201 0\n";
    EXPECT_EQ(lines, expected);
  }
  EXPECT_EQ(database_.count("deposits"), 200);
}

TEST_P(FrontProxies, SayWhenTheApiIsAwayAndGoOnWhenItIsBack) {
  ASSERT_TRUE(is_served());
  EXPECT_TRUE(ride("2", new_key()).ends_with("\n201"));
  Environment same = settings();
  same["API_PORT"] = std::to_string(api_->port());
  expect_good_end(api_->process());
  const std::string key = new_key();
  const std::string away = ride("2", key);
  EXPECT_TRUE(away.ends_with(GetParam() == Kind::kNginx ? "\n502" : "\n503")) << away;
  api_.emplace(database_, same);
  EXPECT_TRUE(eventually([&] { return ride("2", key).ends_with("\n201"); }));
  EXPECT_EQ(database_.count("rides"), 2);
}

}  // namespace
}  // namespace rocket::spec
