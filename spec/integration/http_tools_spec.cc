#include <gtest/gtest.h>

#include <string>

#include "spec/support/api_process.h"
#include "spec/support/requests.h"

// Common tools with which people try the API.
namespace rocket::spec {
namespace {

class HttpToolsSpec : public testing::Test {
 protected:
  // Runs a shell command in which $URL is the URL of the API.
  Finished run(const std::string& line) const {
    return run_to_end("/bin/sh", {{"URL", api_.url()}, {"KEY", key_}}, {"-c", line});
  }

  TestDatabase database_;
  // Longer than the time limit of each tool here.
  ApiProcess api_{database_, {{"API_REQUEST_TIMEOUT_MS", "60000"}}};
  const std::string key_ = new_key();
};

TEST_F(HttpToolsSpec, CurlMayStreamABody) {
  const Finished curl =
      run("printf 'origin_lat=1&origin_lon=2&target_lat=3&target_lon=4' |"
          " curl -sS -T - -X POST -w '%{http_code}' -H 'Authorization: user@example.com' -H "
          "\"Idempotency-Key: $KEY\""
          " -H 'Content-Type: application/x-www-form-urlencoded' $URL/rides");
  EXPECT_EQ(curl.exit.code, 0) << curl.output;
  EXPECT_TRUE(curl.output.ends_with("}201")) << curl.output;
  EXPECT_EQ(database_.count("rides", "origin_lat = 1 AND target_lon = 4"), 1);
}

TEST_F(HttpToolsSpec, CurlMayNotStreamTooLargeABody) {
  const Finished curl =
      run("head -c 300000 /dev/zero | curl -sS -T - -X POST -w '%{http_code}' -H 'Authorization: "
          "user@example.com'"
          " -H 'Content-Type: application/json' $URL/deposits");
  EXPECT_TRUE(curl.output.ends_with("\"body_too_large\"}413")) << curl.output;
}

// curl exits with 35 if the answer is not TLS, and with 28 if there is no answer.
TEST_F(HttpToolsSpec, CurlLearnsAtOnceThatThisIsNoTls) {
  const Finished curl = run("curl -sS --insecure --max-time 12 https://${URL#http://}/healthz");
  EXPECT_EQ(curl.exit.code, 35) << curl.output;
}

// ab speaks HTTP/1.0. It waits for the end of the connection unless the answer says that the connection
// stays.
TEST_F(HttpToolsSpec, AbKeepsItsConnections) {
  const Finished ab = run("ab -q -k -n 20 -c 2 -s 5 $URL/healthz");
  EXPECT_EQ(ab.exit.code, 0) << ab.output;
  EXPECT_NE(ab.output.find("Complete requests:      20\n"), std::string::npos) << ab.output;
  EXPECT_NE(ab.output.find("Keep-Alive requests:    20\n"), std::string::npos) << ab.output;
}

}  // namespace
}  // namespace rocket::spec
