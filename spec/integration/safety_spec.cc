#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"

// By which names the api may be called, and where it does not start.
namespace rocket::spec {
namespace {

using testing::HasSubstr;
using testing::Not;

class HostsSpec : public testing::Test {
 protected:
  // Sends the request with this Host instead of localhost.
  static ClientResponse send_to(const std::string& host, const ApiProcess& api,
                                const ClientRequest& request) {
    std::string bytes = request.to_bytes();
    const std::string usual = "Host: localhost\r\n";
    bytes.replace(bytes.find(usual), usual.size(), "Host: " + host + "\r\n");
    HttpConnection connection = api.connect();
    connection.send(bytes);
    return connection.receive();
  }

  TestDatabase database_;
};

TEST_F(HostsSpec, OfStrangersAreRefusedAndHaveNoEffect) {
  const ApiProcess api(database_);
  const std::string ours = "127.0.0.1:" + std::to_string(api.port());
  const std::vector<ClientRequest> requests{ride_request(new_key()), deposit_request(kUser, "5"),
                                            get_request("/account"), get_request("/"),
                                            get_request("/nothing"), get_request("/openapi.yaml")};
  for (const ClientRequest& request : requests) {
    for (const char* host : {"evil.example", "localhost.evil.example:5000", "127.0.0.1.evil.example"}) {
      const ClientResponse refused = send_to(host, api, request);
      EXPECT_EQ(refused.status, 421) << request.target << ' ' << host;
      EXPECT_EQ(refused.code(), "misdirected_request");
    }
    EXPECT_NE(send_to(ours, api, request).status, 421) << request.target;
  }
  EXPECT_EQ(database_.count("idempotency_keys"), 2) << "one for each good request that changes something";
}

// Balancers call the checks by whatever address they know.
TEST_F(HostsSpec, DoNotMatterToChecks) {
  const ApiProcess api(database_);
  EXPECT_EQ(send_to("10.1.2.3:5000", api, get_request("/healthz")).status, 200);
  EXPECT_EQ(send_to("10.1.2.3:5000", api, get_request("/readyz")).status, 200);
}

TEST_F(HostsSpec, MayBeTheOnesOfASetting) {
  const ApiProcess api(database_, {{"API_HOSTS", "api.example.com, 10.0.0.7"}});
  EXPECT_EQ(send_to("API.example.com", api, ride_request(new_key())).status, 201);
  EXPECT_EQ(send_to("10.0.0.7:80", api, get_request("/account")).status, 200);
  EXPECT_EQ(send_to("example.com", api, get_request("/account")).status, 421);
}

TEST_F(HostsSpec, AreToldToUseTlsWhereItIsInFront) {
  const std::string field = "strict-transport-security";
  const ApiProcess without(database_);
  EXPECT_EQ(without.send(get_request("/account")).count(field), 0U);
  const ApiProcess with(database_, {{"API_HSTS_S", "31536000"}});
  for (const ClientRequest& request :
       {get_request("/account"), get_request("/"), get_request("/nothing"), ride_request("short")}) {
    EXPECT_EQ(with.send(request).header(field), "max-age=31536000") << request.target;
  }
  HttpConnection connection = with.connect();
  connection.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(connection.receive().header(field), "max-age=31536000");
}

class SafeStartSpec : public testing::Test {
 protected:
  // The output of an api that does not start.
  std::string refusal(Environment environment) {
    environment["DATABASE_URL"] = database_.url();
    environment["API_PORT"] = "0";
    const Finished finished = run_to_end("api", environment);
    EXPECT_EQ(finished.exit.code, 2) << finished.output;
    return finished.output;
  }

  TestDatabase database_;
};

TEST_F(SafeStartSpec, ListsAllDangersAtOnce) {
  const std::string listed =
      refusal({{"API_BIND", "0.0.0.0"}, {"API_HOSTS", "*"}, {"LAB", "on"}, {"AUTH", "email"}});
  for (const char* danger : {"email-credentials: ", "laboratory: ", "no-real-charges: "}) {
    EXPECT_THAT(listed, HasSubstr(danger));
  }
  const std::string rest = refusal({{"API_BIND", "::"},
                                    {"API_HOSTS", "*"},
                                    {"LAB", "on"},
                                    {"AUTH", "email"},
                                    {"API_ALLOW_UNSAFE", "laboratory,root,core-dumps"}});
  EXPECT_THAT(rest, HasSubstr("API_ALLOW_UNSAFE=email-credentials,no-real-charges"));
  EXPECT_THAT(rest, Not(HasSubstr("laboratory: ")));
}

// A proxy on this machine makes it public.
TEST_F(SafeStartSpec, CountsWhatStandsBehindAProxyAsPublic) {
  for (const Environment::value_type& sign : {Environment::value_type{"API_HOSTS", "rides.example.com"},
                                              {"API_TRUSTED_PROXIES", "127.0.0.1"},
                                              {"API_HSTS_S", "60"}}) {
    EXPECT_THAT(refusal({sign, {"AUTH", "email"}}), HasSubstr("email-credentials: ")) << sign.first;
  }
}

// E-mail addresses are the default only where nobody but this machine reaches the api.
TEST_F(SafeStartSpec, NeedsTokensInPublicUnlessTold) {
  const ApiProcess own(database_, {{"AUTH", ""}});
  EXPECT_EQ(own.send(get_request("/account")).status, 200);
  Environment in_public = kInPublic;
  in_public.insert({{"AUTH", ""}, {"API_BIND", "0.0.0.0"}});
  const ApiProcess open(database_, in_public);
  const ClientResponse refused = open.send(get_request("/account"));
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.body, HasSubstr("Bearer rr_"));
  EXPECT_THAT(refusal({{"AUTH", "password"}}), HasSubstr("AUTH must be one of token, email"));
}

TEST_F(SafeStartSpec, TakesPlaceInSpiteOfWhatIsAllowed) {
  Environment environment = kInPublic;
  environment.insert({{"API_BIND", "0.0.0.0"}, {"LAB", "on"}});
  ApiProcess api(database_, environment);
  EXPECT_EQ(api.send(ride_request(new_key())).status, 201);
  EXPECT_THAT(api.process().output(), HasSubstr("email-credentials"));
  expect_good_end(api.process());
}

TEST_F(SafeStartSpec, NeedsToKnowItsNames) {
  EXPECT_THAT(refusal({{"API_BIND", "0.0.0.0"}}), HasSubstr("API_HOSTS must name the hosts"));
  EXPECT_THAT(refusal({{"API_HOSTS", "https://api.example.com"}}), HasSubstr("API_HOSTS must be hosts"));
  EXPECT_THAT(refusal({{"API_ALLOW_UNSAFE", "everything"}}),
              HasSubstr("API_ALLOW_UNSAFE names no danger: everything"));
}

TEST_F(SafeStartSpec, IsRefusedWhereMoneyMovesInTheLaboratory) {
  const Environment live{{"CHARGE_GATEWAY", "stripe"}, {"STRIPE_API_KEY", "sk_live_x"}, {"LAB", "on"}};
  EXPECT_THAT(refusal(live), HasSubstr("laboratory: "));
}

TEST_F(SafeStartSpec, IsRefusedWithAKeyFileThatEverybodyCanRead) {
  const std::string file = testing::TempDir() + "rocket_open_key_" + new_key();
  std::ofstream(file) << "sk_test_1\n";
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  EXPECT_THAT(refusal({{"CHARGE_GATEWAY", "stripe"}, {"STRIPE_API_KEY_FILE", file}}),
              HasSubstr("open-key-file: "));
  ASSERT_EQ(std::remove(file.c_str()), 0);
}

// Where money moves, a client must not be able to fill the database with failures.
TEST(RaiseError, IsIgnoredWhereMoneyMoves) {
  TestDatabase database;
  const PaymentProvider provider({"--api-key", "sk_live_of_specs"});
  Environment environment = provider.environment();
  ClientRequest request = ride_request(new_key());
  request.body += "&raise_error=true";
  EXPECT_EQ(ApiProcess(database, environment).send(request).status, 500);
  environment["STRIPE_API_KEY"] = "sk_live_of_specs";
  EXPECT_EQ(ApiProcess(database, environment).send(request).status, 201);
}

}  // namespace
}  // namespace rocket::spec
