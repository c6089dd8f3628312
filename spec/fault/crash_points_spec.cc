#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <csignal>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "endpoints/all.h"
#include "spec/support/api_process.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/eventually.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"
#include "spec/support/scripted_gateway.h"

// A process is killed, or stalls beyond its lease, at every point of its work. The points are the messages
// that it exchanges with its database, in both directions: before, within and after each statement and each
// commit, and so also before and after whatever comes between them, such as the call of the provider and the
// answer; and besides, in the middle of that call. They are counted in a first run, of each endpoint that the
// program has, so a new phase or endpoint brings its points with it. What its example needs is made by a
// process that is left in peace.
namespace rocket::spec {
namespace {

using To = CuttingProxy::To;

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
const std::string kHourAgo = "now() - interval '1 hour'";

enum class Rescue { kClient, kCompleter };

// As the program has them. Nothing is ever run by these.
const idempotency::Flows& flows() {
  static ScriptedGateway gateway;
  static const idempotency::Flows all = endpoints::all_flows(gateway, {});
  return all;
}

struct Case {
  const idempotency::Flow* flow;
  To direction;
  Rescue rescue;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const idempotency::Flow& flow : flows()) {
    for (const To direction : {To::kServer, To::kClient}) {
      for (const Rescue rescue : {Rescue::kClient, Rescue::kCompleter}) {
        cases.push_back({&flow, direction, rescue});
      }
    }
  }
  return cases;
}

// Of endpoints with a foreign call; the database's messages play no part here.
std::vector<Case> cases_with_calls() {
  std::vector<Case> cases = all_cases();
  std::erase_if(cases, [](const Case& each) {
    const auto& steps = each.flow->steps;
    return each.direction == To::kClient ||
           std::none_of(steps.begin(), steps.end(), [](const idempotency::Step& step) {
             return std::holds_alternative<idempotency::ForeignPhase>(step.phase);
           });
  });
  return cases;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  const auto& [flow, direction, rescue] = info.param;
  const auto capitalized = [](std::string word) {
    std::transform(word.begin() + 1, word.end(), word.begin() + 1,
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    word.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(word.front())));
    return word;
  };
  // What names them to ctest: letters only.
  std::string name = capitalized(flow->path.substr(1));
  std::erase(name, '/');
  if (flow->method != "POST") name = capitalized(flow->method) + name;
  return name + (direction == To::kServer ? "ToServer" : "ToClient") +
         (rescue == Rescue::kClient ? "RescuedByClient" : "RescuedByCompleter");
}

// What there is in the database, as far as it depends on what was asked for and not on how often it was
// tried: how many rows each table has, the sums of what is counted in them, and how the keys ended.
std::map<std::string, std::string> contents(TestDatabase& database) {
  std::map<std::string, std::string> contents;
  for (const auto& table :
       database.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = "
                     "'public' AND table_type = 'BASE TABLE'")) {
    contents[*table[0]] = database.value("SELECT count(*) FROM " + *table[0]);
  }
  for (const auto& column : database.rows(
           "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND "
           "data_type IN ('integer', 'bigint') AND column_name NOT LIKE '%id' AND table_name <> "
           "'idempotency_keys'")) {
    contents[*column[0] + '.' + *column[1]] =
        database.value("SELECT coalesce(sum(" + *column[1] + "), 0) FROM " + *column[0]);
  }
  for (const auto& end : database.rows("SELECT recovery_point, response_code, lease IS NULL, count(*) FROM "
                                       "idempotency_keys GROUP BY 1, 2, 3")) {
    contents["keys " + *end[0] + ' ' + end[1].value_or("unanswered") + ' ' + *end[2]] = *end[3];
  }
  return contents;
}

// Named Heavy: some hundred processes are started.
class HeavyCrashPoints : public testing::TestWithParam<Case> {
 protected:
  static Environment environment(const std::string& database_url, const PaymentProvider& provider) {
    Environment all = provider.environment();
    all.insert({{"DATABASE_URL", database_url},
                {"DATABASE_LANES", "1"},
                {"COMPLETER_IDLE_MS", "20"},
                {"COMPLETER_PAUSE_S", "0"}});
    return all;
  }
  Environment environment(const std::string& database_url) const {
    return environment(database_url, provider_);
  }

  // Of a request for which everything is prepared.
  std::string fresh_key() {
    keys_.push_back(new_key());
    paths_[keys_.back()] = prepare(rescuer_);
    return keys_.back();
  }
  static ClientRequest example_of(const idempotency::Flow& flow, const std::string& path,
                                  const std::string& key) {
    return {flow.method,
            path,
            {{"Authorization", kUser}, {"Idempotency-Key", key}, {"Content-Type", "application/json"}},
            flow.example.parameters};
  }
  ClientRequest request(const std::string& key) const {
    return example_of(*GetParam().flow, paths_.at(key), key);
  }
  // Does what the request needs to have been done before, and returns its path.
  static std::string prepare(const ApiProcess& api) {
    const idempotency::Flow& flow = *GetParam().flow;
    if (flow.example.prepared_by.empty()) return flow.path;
    const idempotency::Flow& before = *flows().at("POST", flow.example.prepared_by);
    const ClientResponse answer = api.send(example_of(before, before.path, new_key()));
    EXPECT_TRUE(is_success(answer)) << answer.body;
    const nlohmann::json::json_pointer variable(flow.example.variable_at);
    return flow.path + nlohmann::json::parse(answer.body).at(variable).dump();
  }
  static bool is_success(const ClientResponse& answer) { return answer.status / 100 == 2; }

  // As if its lease had run out, and the grace of abandoned keys too.
  void age(const std::string& key) {
    database_.execute("UPDATE idempotency_keys SET locked_at = CASE WHEN lease IS NOT NULL THEN " + kHourAgo +
                          " END, created_at = " + kHourAgo + ", last_run_at = " + kHourAgo +
                          " WHERE idempotency_key = $1 AND finished_at IS NULL",
                      {key});
  }

  // Whoever is to rescue the key does, once the server has noticed that the victim is gone.
  ClientResponse rescue(const std::string& key) {
    if (GetParam().rescue == Rescue::kCompleter) {
      const ChildProcess completer("completer", environment(database_.url()));
      EXPECT_TRUE(eventually([&] {
        // In this order: what the victim has sent may be carried out, and committed, after its end.
        const bool victim_is_gone = database_.count("pg_stat_activity",
                                                    "datname = current_database() AND pid <> pg_backend_pid()"
                                                    " AND xact_start IS NOT NULL") == 0;
        age(key);
        return victim_is_gone && database_.count("idempotency_keys", "finished_at IS NULL") == 0;
      })) << completer.output();
    }
    // Where nothing of it was committed, or not yet, the client is the only one who knows of the request.
    ClientResponse answer;
    EXPECT_TRUE(eventually([&] {
      age(key);
      answer = rescuer_.send(request(key));
      return is_success(answer);
    })) << answer.status
        << ' ' << answer.body;
    return answer;
  }

  // As many undisturbed requests leave the same behind, at the database and at the provider.
  void expect_each_key_had_one_effect() {
    TestDatabase undisturbed;
    const PaymentProvider provider;
    const ApiProcess api(undisturbed, environment(undisturbed.url(), provider));
    for (const std::string& key : keys_) {
      EXPECT_TRUE(is_success(api.send(example_of(*GetParam().flow, prepare(api), key))));
    }
    EXPECT_EQ(contents(database_), contents(undisturbed));

    const ChargesByRide charges = provider_.charges();
    EXPECT_EQ(charges.size(), provider.charges().size());
    for (const auto& ride : database_.rows("SELECT id, stripe_charge_id FROM rides")) {
      const auto found = charges.find(*ride[0]);
      ASSERT_NE(found, charges.end()) << "ride " << *ride[0] << " was never charged";
      EXPECT_EQ(found->second, std::set<std::string>{ride[1].value_or("NULL")}) << "ride " << *ride[0];
    }
    ChargesByRide refunds;
    for (const auto& ride : database_.rows("SELECT ride_id, stripe_refund_id FROM refunds")) {
      refunds[*ride[0]].insert(ride[1].value_or("NULL"));
    }
    EXPECT_EQ(provider_.refunds(), refunds);
  }

  // An api whose statements are prepared, behind the proxy.
  void start_victim() {
    victim_.emplace(proxy_.url(), environment(proxy_.url()));
    ASSERT_TRUE(eventually([&] { return victim_->send(get_request("/readyz")).status == 200; }));
    ASSERT_TRUE(is_success(victim_->send(request(fresh_key()))));
  }

  // A request that was abandoned before its first phase.
  void abandon(const std::string& key) {
    const idempotency::Flow& flow = *GetParam().flow;
    database_.execute(
        "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
        "request_params, created_at, last_run_at) SELECT gen_random_uuid(), id, $1, $2, $3, $4::jsonb, " +
            kHourAgo + ", " + kHourAgo + " FROM users WHERE email = $5",
        {key, flow.method, paths_.at(key), flow.example.parameters, kUser});
  }
  bool finished(const std::string& key) { return database_.of_key(key, "recovery_point") == "finished"; }

  std::size_t provider_calls() const { return provider_.ledger()["calls"].get<std::size_t>(); }

  std::size_t count_points() {
    start_victim();
    proxy_.cut_after(GetParam().direction, kNever);
    EXPECT_TRUE(is_success(victim_->send(request(fresh_key()))));
    return proxy_.passed(GetParam().direction);
  }

  TestDatabase database_;
  PaymentProvider provider_;
  CuttingProxy proxy_{database_.url()};
  ApiProcess rescuer_{database_.url(), environment(database_.url())};
  std::optional<ApiProcess> victim_;
  std::vector<std::string> keys_;
  // By key.
  std::map<std::string, std::string> paths_;
};

TEST_P(HeavyCrashPoints, ApiIsKilled) {
  const std::size_t points = count_points();
  ASSERT_GT(points, 10U);
  for (std::size_t point = 0; point < points; ++point) {
    SCOPED_TRACE("killed after " + std::to_string(point) + " of " + std::to_string(points) + " messages");
    if (point > 0) start_victim();
    const std::string key = fresh_key();
    proxy_.after(GetParam().direction, point, [pid = victim_->process().pid()](CuttingProxy& proxy) {
      ::kill(pid, SIGKILL);
      proxy.cut();
    });
    HttpConnection client = victim_->connect();
    client.send(request(key).to_bytes());
    ASSERT_TRUE(victim_->process().wait_for_exit().has_value());
    rescue(key);
  }
  expect_each_key_had_one_effect();
}

TEST_P(HeavyCrashPoints, ApiStallsBeyondItsLease) {
  const std::size_t points = count_points();
  for (std::size_t point = 0; point < points; ++point) {
    SCOPED_TRACE("stalled after " + std::to_string(point) + " of " + std::to_string(points) + " messages");
    const std::string key = fresh_key();
    proxy_.after(GetParam().direction, point,
                 [pid = victim_->process().pid()](CuttingProxy&) { ::kill(pid, SIGSTOP); });
    HttpConnection client = victim_->connect();
    client.send(request(key).to_bytes());
    ASSERT_TRUE(eventually([&] { return proxy_.has_acted(); }));
    const ClientResponse rescued = rescue(key);
    victim_->process().kill(SIGCONT);
    ClientResponse late = client.receive();
    // What the victim had sent may have been carried out while the rescuer worked.
    if (late.code() == "request_in_progress") late = victim_->send(request(key));
    EXPECT_TRUE(is_success(late)) << late.body;
    EXPECT_EQ(late.body, rescued.body);
  }
  expect_each_key_had_one_effect();
}

TEST_P(HeavyCrashPoints, CompleterIsKilled) {
  const std::string first = fresh_key();
  abandon(first);
  proxy_.cut_after(GetParam().direction, kNever);
  {
    const ChildProcess victim("completer", environment(proxy_.url()));
    ASSERT_TRUE(eventually([&] { return finished(first); })) << victim.output();
  }
  const std::size_t points = proxy_.passed(GetParam().direction);
  ASSERT_GT(points, 10U);

  for (std::size_t point = 0; point < points; ++point) {
    SCOPED_TRACE("killed after " + std::to_string(point) + " of " + std::to_string(points) + " messages");
    const std::string key = fresh_key();
    abandon(key);
    const auto pid = std::make_shared<std::atomic<pid_t>>(0);
    proxy_.after(GetParam().direction, point, [pid](CuttingProxy& proxy) {
      pid->wait(0);
      ::kill(*pid, SIGKILL);
      proxy.cut();
    });
    {
      const ChildProcess victim("completer", environment(proxy_.url()));
      *pid = victim.pid();
      pid->notify_all();
      ASSERT_TRUE(eventually([&] { return proxy_.has_acted() || finished(key); })) << victim.output();
    }
    rescue(key);
  }
  expect_each_key_had_one_effect();
}

class HeavyCrashesInTheCall : public HeavyCrashPoints {};

// Before the provider hears of it, and after it has charged or refunded.
TEST_P(HeavyCrashesInTheCall, ApiIsKilled) {
  for (const char* charged : {"false", "true"}) {
    start_victim();
    const std::string key = fresh_key();
    const std::size_t before = provider_calls();
    provider_.fail(std::string("kind=silence&charged=") + charged);
    HttpConnection client = victim_->connect();
    client.send(request(key).to_bytes());
    ASSERT_TRUE(eventually([&] { return provider_calls() > before; }));
    victim_->process().kill(SIGKILL);
    ASSERT_TRUE(victim_->process().wait_for_exit().has_value());
    rescue(key);
  }
  expect_each_key_had_one_effect();
}

TEST_P(HeavyCrashesInTheCall, ApiStalls) {
  start_victim();
  for (const char* fault : {"kind=slow", "kind=status&status=500", "kind=reset&charged=true"}) {
    const std::string key = fresh_key();
    const std::size_t before = provider_calls();
    provider_.fail(std::string(fault) + "&delay=100");
    HttpConnection client = victim_->connect();
    client.send(request(key).to_bytes());
    ASSERT_TRUE(eventually([&] { return provider_calls() > before; }));
    victim_->process().kill(SIGSTOP);
    const ClientResponse rescued = rescue(key);
    victim_->process().kill(SIGCONT);
    const ClientResponse late = client.receive();
    EXPECT_TRUE(is_success(late)) << late.body;
    EXPECT_EQ(late.body, rescued.body);
  }
  expect_each_key_had_one_effect();
}

TEST_P(HeavyCrashesInTheCall, CompleterIsKilled) {
  for (const char* charged : {"false", "true"}) {
    const std::string key = fresh_key();
    abandon(key);
    const std::size_t before = provider_calls();
    provider_.fail(std::string("kind=silence&charged=") + charged);
    {
      const ChildProcess victim("completer", environment(database_.url()));
      ASSERT_TRUE(eventually([&] { return provider_calls() > before; })) << victim.output();
    }
    rescue(key);
  }
  expect_each_key_had_one_effect();
}

INSTANTIATE_TEST_SUITE_P(Of, HeavyCrashPoints, testing::ValuesIn(all_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Of, HeavyCrashesInTheCall, testing::ValuesIn(cases_with_calls()), name_of);

}  // namespace
}  // namespace rocket::spec
