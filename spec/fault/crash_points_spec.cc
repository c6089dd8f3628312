#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "spec/fault/effects.h"
#include "spec/fault/ledger.h"
#include "spec/support/api_process.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"

// A process is killed, or stalls beyond its lease, at every point of its work. The points are the messages
// that it exchanges with its database, in both directions: before, within and after each statement and each
// commit, and so also before and after whatever comes between them, such as the call of the provider and the
// answer. They are counted in a first run, so a new phase brings its points with it.
namespace rocket::spec {
namespace {

using To = CuttingProxy::To;

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
const std::string kHourAgo = "now() - interval '1 hour'";

enum class Rescue { kClient, kCompleter };

struct Endpoint {
  std::string name;
  std::function<ClientRequest(const std::string& key)> request;
};

const std::vector<Endpoint>& endpoints_with_keys() {
  static const std::vector<Endpoint> endpoints{
      {"Ride", [](const std::string& key) { return ride_request(key); }},
      {"Deposit",
       [](const std::string& key) { return deposit_request(kUser, "5").with("Idempotency-Key", key); }}};
  return endpoints;
}

struct Case {
  std::size_t endpoint;
  To direction;
  Rescue rescue;
};

std::string name_of(const testing::TestParamInfo<Case>& info) {
  const auto& [endpoint, direction, rescue] = info.param;
  return endpoints_with_keys()[endpoint].name + (direction == To::kServer ? "ToServer" : "ToClient") +
         (rescue == Rescue::kClient ? "RescuedByClient" : "RescuedByCompleter");
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (std::size_t endpoint = 0; endpoint < endpoints_with_keys().size(); ++endpoint) {
    for (const To direction : {To::kServer, To::kClient}) {
      for (const Rescue rescue : {Rescue::kClient, Rescue::kCompleter}) {
        cases.push_back({endpoint, direction, rescue});
      }
    }
  }
  return cases;
}

// Named Heavy: some hundred processes are started.
class HeavyCrashPoints : public testing::TestWithParam<Case> {
 protected:
  Environment environment(const std::string& database_url) const {
    return {{"DATABASE_URL", database_url}, {"DATABASE_LANES", "1"},    {"MOCK_LEDGER", ledger_.path()},
            {"COMPLETER_IDLE_MS", "20"},    {"COMPLETER_PAUSE_S", "0"}, {"LOG_LEVEL", "info"}};
  }

  std::string fresh_key() {
    keys_.push_back(new_key());
    return keys_.back();
  }
  ClientRequest request(const std::string& key) const {
    return endpoints_with_keys()[GetParam().endpoint].request(key);
  }

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
        age(key);
        return database_.count("idempotency_keys", "finished_at IS NULL") == 0 &&
               database_.count("pg_stat_activity", "state LIKE 'idle in transaction%'") == 0;
      })) << completer.output();
    }
    // Where nothing of it was committed, the client is the only one who knows of the request.
    ClientResponse answer;
    EXPECT_TRUE(eventually([&] {
      if (GetParam().rescue == Rescue::kClient) age(key);
      answer = rescuer_.send(request(key));
      return answer.status == 201;
    })) << answer.status
        << ' ' << answer.body;
    return answer;
  }

  void expect_each_key_had_one_effect() {
    const auto keys = static_cast<std::int64_t>(keys_.size());
    SqlSession session = database_.open_session();
    if (endpoints_with_keys()[GetParam().endpoint].name == "Ride") {
      expect_one_effect_per_key(session, ledger_, keys);
      return;
    }
    EXPECT_EQ(database_.count("deposits"), keys);
    EXPECT_EQ(database_.number("SELECT balance FROM accounts"), keys * 5);
    EXPECT_EQ(database_.count("audit_records"), keys);
    EXPECT_EQ(database_.count("idempotency_keys", "response_code = 201"), keys);
  }

  // An api whose statements are prepared, behind the proxy.
  void start_victim() {
    victim_.emplace(proxy_.url(), environment(proxy_.url()));
    ASSERT_TRUE(eventually([&] { return victim_->send(get_request("/readyz")).status == 200; }));
    ASSERT_EQ(victim_->send(request(fresh_key())).status, 201);
  }

  std::size_t count_points() {
    start_victim();
    proxy_.cut_after(GetParam().direction, kNever);
    EXPECT_EQ(victim_->send(request(fresh_key())).status, 201);
    return proxy_.passed(GetParam().direction);
  }

  TestDatabase database_;
  Ledger ledger_;
  CuttingProxy proxy_{database_.url()};
  ApiProcess rescuer_{database_.url(), environment(database_.url())};
  std::optional<ApiProcess> victim_;
  std::vector<std::string> keys_;
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
    const ClientResponse late = client.receive();
    EXPECT_EQ(late.status, 201) << late.body;
    EXPECT_EQ(late.body, rescued.body);
  }
  expect_each_key_had_one_effect();
}

TEST_P(HeavyCrashPoints, CompleterIsKilled) {
  // A request that was abandoned before its first phase.
  const auto abandon = [&](const std::string& key) {
    const bool ride = endpoints_with_keys()[GetParam().endpoint].name == "Ride";
    database_.execute(
        "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
        "request_params,"
        " created_at, last_run_at) SELECT gen_random_uuid(), id, $1, 'POST', $2, $3::jsonb, " +
            kHourAgo + ", " + kHourAgo + " FROM users WHERE email = $4",
        {key, ride ? "/rides" : "/deposits",
         ride ? R"({"origin_lat":1.5,"origin_lon":-2.25,"target_lat":3.0,"target_lon":4.0})"
              : R"({"amount":5})",
         kUser});
  };
  const auto finished = [&](const std::string& key) {
    return database_.of_key(key, "recovery_point") == "finished";
  };
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

INSTANTIATE_TEST_SUITE_P(Of, HeavyCrashPoints, testing::ValuesIn(all_cases()), name_of);

}  // namespace
}  // namespace rocket::spec
