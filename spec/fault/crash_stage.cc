#include "spec/fault/crash_stage.h"

#include <gtest/gtest.h>

#include <set>

#include "spec/fault/contents.h"
#include "spec/support/eventually.h"
#include "spec/support/examples.h"
#include "spec/support/requests.h"

namespace rocket::spec {
namespace {

const std::string kHourAgo = "now() - interval '1 hour'";
// Longer ago than CHARGE_REPEAT_LIMIT_S.
const std::string kDayAgo = "now() - interval '1 day'";

Environment environment_at(const PaymentProvider& provider, const std::string& database_url) {
  Environment all = provider.environment();
  all.insert({{"DATABASE_URL", database_url},
              {"DATABASE_LANES", "1"},
              // A long limit, so that a busy machine exchanges the same messages each time.
              {"DATABASE_TIMEOUT_MS", "20000"},
              // The circuit must not open: only the ending decides whether the provider is called.
              {"CIRCUIT_FAILURES", "1000000"},
              {"COMPLETER_IDLE_MS", "20"},
              {"COMPLETER_PAUSE_S", "0"}});
  return all;
}

std::multiset<std::string> ids_of(const ChargesByRide& moved) {
  std::multiset<std::string> ids;
  for (const auto& [ride, its_ids] : moved) ids.insert(its_ids.begin(), its_ids.end());
  return ids;
}

}  // namespace

bool is_possible(const endpoints::Endpoint& endpoint, Ending ending) {
  return ending == Ending::kSucceeds || ending == Ending::kHopeless || endpoint.flow.has_foreign_call();
}

CrashStage::CrashStage(const endpoints::Endpoint& endpoint, Ending ending)
    : endpoint_(endpoint),
      ending_(ending),
      in_peace_(database_, environment_at(provider_, database_.url())) {}

Environment CrashStage::environment(const std::string& database_url) const {
  Environment all = environment_at(provider_, database_url);
  // A mock provider without a ledger cannot be asked for past charges.
  if (ending_ == Ending::kParked) all["CHARGE_GATEWAY"] = "mock";
  return all;
}

std::string CrashStage::user() const {
  return ending_ == Ending::kRefused && !card_was_charged_before() ? kDeclinedUser : kUser;
}

std::string CrashStage::fresh_key() {
  provider_.heal();
  keys_.push_back(new_key());
  const std::string& key = keys_.back();
  requests_[key] = prepare();
  if (ending_ == Ending::kLookedUp || ending_ == Ending::kParked) try_long_ago(key);
  if (ending_ == Ending::kRefused && card_was_charged_before()) {
    // Enough times for all attempts.
    provider_.fail("kind=status&status=400&type=invalid_request_error&times=9");
  }
  if (ending_ == Ending::kReleasedThenRetried) provider_.fail("kind=status&status=503&should_retry=false");
  return key;
}

Prepared CrashStage::prepare() const {
  return spec::prepare(endpoint_, [this](const endpoints::Endpoint& before, const Prepared& prepared) {
    const ClientResponse answer = in_peace_.send(example_of(before, prepared, new_key(), user()));
    EXPECT_EQ(answer.status / 100, 2) << answer.body;
    return answer.body;
  });
}

void CrashStage::try_long_ago(const std::string& key) {
  provider_.fail(std::string("kind=status&status=500&should_retry=false&charged=") +
                 (ending_ == Ending::kLookedUp ? "true" : "false"));
  const ClientResponse answer = in_peace_.send(request(key));
  EXPECT_EQ(answer.code(), "payment_unavailable") << answer.body;
  provider_.forget_keys();
  // The age of a foreign call is the age of the rows that its request has made.
  for (const std::string& table : tables_of_requests(database_)) {
    database_.execute(
        "UPDATE " + table + " SET created_at = " + kDayAgo +
            " WHERE idempotency_key_id = (SELECT id FROM idempotency_keys WHERE idempotency_key = $1)",
        {key});
  }
}

ClientRequest CrashStage::request(const std::string& key) const {
  return example_of(endpoint_, requests_.at(key), key, user());
}

ClientResponse CrashStage::send(HttpConnection& connection, const std::string& key) const {
  ClientResponse answer = connection.exchange(request(key));
  if (answer.code() == "payment_unavailable") answer = connection.exchange(request(key));
  return answer;
}

ClientResponse CrashStage::send(const ApiProcess& api, const std::string& key) const {
  HttpConnection connection = api.connect();
  return send(connection, key);
}

void CrashStage::abandon(const std::string& key) {
  database_.execute(
      "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
      "request_params,"
      " origin_ip) SELECT gen_random_uuid(), id, $1, $2, $3, $4::jsonb, '127.0.0.1' FROM users WHERE email = "
      "$5"
      " ON CONFLICT DO NOTHING",
      {key, endpoint_.method, requests_.at(key).path, requests_.at(key).parameters, user()});
  if (ending_ == Ending::kHopeless) {
    // More than the largest COMPLETER_MOST_ATTEMPTS.
    database_.execute("UPDATE idempotency_keys SET completions = 1000 WHERE idempotency_key = $1", {key});
  }
  age(key);
}

void CrashStage::age(const std::string& key) {
  database_.execute("UPDATE idempotency_keys SET locked_at = CASE WHEN lease IS NOT NULL THEN " + kHourAgo +
                        " END, created_at = " + kHourAgo + ", last_run_at = " + kHourAgo +
                        " WHERE idempotency_key = $1 AND finished_at IS NULL AND parked_at IS NULL",
                    {key});
}

bool CrashStage::is_the_end(const ClientResponse& answer) const {
  switch (ending_) {
    case Ending::kSucceeds:
    case Ending::kReleasedThenRetried:
    case Ending::kLookedUp:
      return answer.status / 100 == 2;
    case Ending::kRefused:
      return answer.code() == (card_was_charged_before() ? "payment_rejected" : "card_declined");
    case Ending::kParked:
    case Ending::kHopeless:
      break;
  }
  return answer.code() == "request_parked";
}

bool CrashStage::has_ended(const std::string& key) {
  return database_.number(
             "SELECT count(*) FROM idempotency_keys WHERE idempotency_key = $1"
             " AND (finished_at IS NOT NULL OR parked_at IS NOT NULL)",
             {key}) == 1;
}

bool CrashStage::have_all_ended() {
  return database_.count("idempotency_keys", "finished_at IS NULL AND parked_at IS NULL") == 0;
}

void CrashStage::end_undisturbed(std::size_t requests) {
  if (ending_ == Ending::kHopeless) {
    while (keys_.size() < requests) abandon(fresh_key());
    const ChildProcess completer("completer", environment());
    EXPECT_TRUE(eventually([&] { return have_all_ended(); })) << completer.output();
    return;
  }
  const ApiProcess api(database_, environment());
  while (keys_.size() < requests) {
    const ClientResponse answer = send(api, fresh_key());
    EXPECT_TRUE(is_the_end(answer)) << answer.status << ' ' << answer.body;
  }
}

void CrashStage::expect_each_key_had_one_effect() {
  CrashStage undisturbed(endpoint_, ending_);
  undisturbed.end_undisturbed(keys_.size());
  EXPECT_EQ(contents(database_), contents(undisturbed.database_));
  std::multiset<std::string> moved = ids_of(provider_.charges());
  moved.merge(ids_of(provider_.refunds()));
  EXPECT_EQ(moved, moved_ids(database_));
}

}  // namespace rocket::spec
