#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/use_future.hpp>
#include <map>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/engine_rig.h"
#include "spec/support/requests.h"

// The operator of the database has changed the session settings. Answers must keep their bytes.
namespace rocket::spec {
namespace {

// Each value differs from the one that our statements rely on.
const std::map<std::string, std::string> kOthers{{"DateStyle", "German"},
                                                 {"IntervalStyle", "sql_standard"},
                                                 {"TimeZone", "Asia/Kathmandu"},
                                                 {"array_nulls", "off"},
                                                 {"bytea_output", "escape"},
                                                 {"client_encoding", "LATIN1"},
                                                 {"default_transaction_deferrable", "on"},
                                                 {"default_transaction_isolation", "serializable"},
                                                 {"exit_on_error", "on"},
                                                 {"extra_float_digits", "0"},
                                                 {"lc_monetary", "POSIX"},
                                                 {"lc_numeric", "POSIX"},
                                                 {"lc_time", "POSIX"},
                                                 {"quote_all_identifiers", "on"},
                                                 {"standard_conforming_strings", "off"},
                                                 {"synchronous_commit", "off"},
                                                 {"transform_null_equals", "on"},
                                                 {"xmlbinary", "hex"}};

constexpr const char* kRide =
    "origin_lat=12.345678901234567&origin_lon=-0.1234567890123456&target_lat=3.1000000000000005&target_lon="
    "1e-7";

// Removes what differs between two equal requests.
std::string without_ids_and_times(const std::string& body) {
  const std::regex changing(R"re("id":\d+|"[a-z_]*charge_id":"[^"]*"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+)re");
  return std::regex_replace(body, changing, "*");
}

enum class SetBy { kDatabase, kRole, kPgOptions };

class SessionSettings : public testing::TestWithParam<SetBy> {
 protected:
  // Changes all these settings for later sessions. Returns the environment variables that this needs.
  Environment set_otherwise() {
    std::string options;
    for (const auto& [name, value] : kOthers) {
      if (GetParam() == SetBy::kPgOptions) {
        options.append("-c ").append(name).append("=").append(value).append(" ");
        continue;
      }
      const std::string whose =
          GetParam() == SetBy::kDatabase ? "DATABASE " : "ROLE CURRENT_USER IN DATABASE ";
      database_.execute("ALTER " + whose + database_.name() + " SET " + name + " = '" + value + "'");
    }
    if (options.empty()) return {};
    return {{"PGOPTIONS", options}};
  }

  TestDatabase database_;
};

const char* name_of(const testing::TestParamInfo<SetBy>& each) {
  switch (each.param) {
    case SetBy::kDatabase:
      return "Database";
    case SetBy::kRole:
      return "Role";
    case SetBy::kPgOptions:
      break;
  }
  return "PgOptions";
}

INSTANTIATE_TEST_SUITE_P(OfA, SessionSettings,
                         testing::Values(SetBy::kDatabase, SetBy::kRole, SetBy::kPgOptions), name_of);

TEST_P(SessionSettings, DoNotChangeTheBytesOfAnAnswer) {
  const std::string key = new_key();
  const ClientRequest ride = ride_request(key, kUser, kRide);
  // The first answers come with the default settings.
  std::vector<std::pair<ClientRequest, ClientResponse>> seen;
  std::vector<std::string> made;
  const auto make = [&made](const ApiProcess& api, const ClientRequest& request) {
    const ClientResponse response = api.send(request);
    EXPECT_EQ(response.status, 201) << response.body;
    made.push_back(without_ids_and_times(response.body));
    return response;
  };
  const std::string deposit_key = new_key();
  const ClientRequest deposit = deposit_request(kUser, "5").with("Idempotency-Key", deposit_key);
  {
    const ApiProcess api(database_);
    const ClientResponse done = make(api, ride);
    make(api, deposit);
    seen.emplace_back(ride, done);
    const std::string id = database_.value("SELECT id FROM rides");
    for (const ClientRequest& request :
         {deposit, get_request("/rides/" + id), get_request("/idempotency-keys/" + key),
          get_request("/idempotency-keys/" + deposit_key), get_request("/account")}) {
      seen.emplace_back(request, api.send(request));
    }
  }

  const ApiProcess api(database_, set_otherwise());
  for (const auto& [request, before] : seen) {
    const ClientResponse after = api.send(request);
    EXPECT_EQ(after.status, before.status) << request.target;
    EXPECT_EQ(after.body, before.body) << request.target;
  }
  // Sends the same requests again under new keys.
  database_.execute("DELETE FROM accounts");
  const std::vector<std::string> before = std::exchange(made, {});
  make(api, ride_request(new_key(), kUser, kRide));
  make(api, deposit_request(kUser, "5").with("Idempotency-Key", new_key()));
  EXPECT_EQ(made, before);
}

class SettingsOfASession : public testing::Test {
 protected:
  static constexpr pg::Statement kShow{"spec_show", "SELECT current_setting($1) AS value"};

  std::string in_a_session_when_set_to(const std::string& setting, const std::string& value) {
    database_.execute("ALTER DATABASE " + database_.name() + " SET " + setting + " = '" + value + "'");
    EngineRig rig(database_, RigOptions{.lanes = 1, .batch_limit = 64, .rides = {}, .engine = {}});
    pg::Unit unit;
    unit.queries.emplace_back(kShow, pg::Params{setting});
    auto shown = asio::co_spawn(rig.lane().executor(), rig.lane().commit(std::move(unit)), asio::use_future);
    return std::string(shown.get().front().text(0, "value"));
  }

  TestDatabase database_;
};

TEST_F(SettingsOfASession, KeepAnAcknowledgedRideOnDisk) {
  EXPECT_EQ(in_a_session_when_set_to("synchronous_commit", "off"), "on");
  EXPECT_EQ(in_a_session_when_set_to("synchronous_commit", "local"), "local");
  EXPECT_EQ(in_a_session_when_set_to("synchronous_commit", "remote_apply"), "remote_apply");
}

TEST_F(SettingsOfASession, AreOurs) {
  for (const auto& [setting, value] : kOthers) {
    // These settings do not affect our statements, which print no identifiers and begin their own
    // transactions.
    if (setting == "quote_all_identifiers" || setting.starts_with("default_transaction")) continue;
    EXPECT_NE(in_a_session_when_set_to(setting, value), value) << setting;
  }
}

}  // namespace
}  // namespace rocket::spec
