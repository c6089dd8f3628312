#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/payment_provider.h"
#include "spec/support/redis_server.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// A request is found by its ids in all log lines about it, at the provider, and at whoever works on its jobs.
namespace rocket::spec {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kTraceparent = std::string("00-") + kTrace + "-00f067aa0ba902b7-01";

std::vector<json> lines_of(const ChildProcess& process) {
  std::vector<json> lines;
  std::istringstream output(process.output());
  for (std::string line; std::getline(output, line);) {
    json parsed = json::parse(line, nullptr, false);
    if (parsed.is_object()) lines.push_back(std::move(parsed));
  }
  return lines;
}

// Waits for the line with this event.
json line_of(const ChildProcess& process, const std::string& event) {
  process.wait_for_line("\"event\":\"" + event + "\"");
  for (const json& line : lines_of(process)) {
    if (line.at("event") == event) return line;
  }
  return {};
}

class Correlation : public testing::Test {
 protected:
  Environment environment(const Environment& more = {}) const {
    Environment all = provider_.environment();
    all.insert({{"LOG_FORMAT", "json"}, {"STRIPE_TIMEOUT_MS", "300"}, {"STRIPE_TOTAL_TIMEOUT_MS", "300"}});
    for (const auto& [name, value] : more) all[name] = value;
    return all;
  }
  ClientRequest traced() const {
    return ride_request(key_).with("traceparent", kTraceparent).with("X-Request-Id", "request-7");
  }
  std::string stored(const char* table) {
    return database_.value(std::string("SELECT coalesce(min(traceparent), '') FROM ") + table);
  }
  void expect_all_ids(const json& line) {
    EXPECT_EQ(line.value("request_id", ""), "request-7") << line;
    EXPECT_EQ(line.value("key_id", ""), database_.of_key(key_, "id")) << line;
    EXPECT_EQ(line.value("trace_id", ""), kTrace) << line;
  }

  TestDatabase database_;
  PaymentProvider provider_;
  const std::string key_ = new_key();
};

TEST_F(Correlation, GoesFromTheCallerToTheLogTheProviderAndTheJob) {
  ApiProcess api(database_, environment());
  ASSERT_EQ(api.send(traced()).status, 201);
  expect_all_ids(line_of(api.process(), "answered"));
  const std::string passed_on = stored("idempotency_keys");
  EXPECT_EQ(passed_on.substr(0, 36), kTraceparent.substr(0, 36));
  EXPECT_NE(passed_on, kTraceparent) << "the request is an operation of its own";
  EXPECT_EQ(stored("staged_jobs"), passed_on);
  EXPECT_EQ(provider_.ledger().at("traceparents"), json::array({passed_on}));
}

TEST_F(Correlation, OfACancellationGoesTheSameWay) {
  const ApiProcess api(database_, environment());
  ASSERT_EQ(api.send(ride_request(key_)).status, 201);
  ASSERT_EQ(api.send(cancel_request("1").with("traceparent", kTraceparent)).status, 200);
  const std::string passed_on =
      database_.value("SELECT traceparent FROM staged_jobs WHERE job_name = 'send_refund_receipt'");
  EXPECT_EQ(passed_on.substr(0, 36), kTraceparent.substr(0, 36));
  EXPECT_EQ(provider_.ledger().at("traceparents"), json::array({"", passed_on}));
}

TEST_F(Correlation, IsNotMadeUpWhereThereIsNone) {
  ApiProcess api(database_, environment());
  ASSERT_EQ(api.send(ride_request(key_)).status, 201);
  EXPECT_EQ(database_.count("idempotency_keys", "traceparent IS NULL"), 1);
  EXPECT_EQ(database_.count("staged_jobs", "traceparent IS NULL"), 1);
  EXPECT_EQ(provider_.ledger().at("traceparents"), json::array({""}));
  EXPECT_FALSE(line_of(api.process(), "answered").contains("trace_id"));
}

TEST_F(Correlation, IgnoresWhatIsNotValid) {
  ApiProcess api(database_, environment());
  const std::string evil = "00-4bf92f3577b34da6a3ce929d0e0e473\"-00f067aa0ba902b7-01";
  EXPECT_EQ(api.send(ride_request(new_key()).with("traceparent", evil)).status, 201);
  EXPECT_EQ(api.send(ride_request(new_key()).with("traceparent", std::string(5000, 'f'))).status, 201);
  EXPECT_EQ(
      api.send(ride_request(new_key()).with("traceparent", kTraceparent).with("traceparent", kTraceparent))
          .status,
      201);
  EXPECT_EQ(database_.count("idempotency_keys", "traceparent IS NULL"), 3);
  EXPECT_EQ(provider_.ledger().at("traceparents"), json::array({"", "", ""}));
  for (const json& line : lines_of(api.process())) EXPECT_FALSE(line.contains("trace_id")) << line;
  EXPECT_THAT(api.process().output(), Not(HasSubstr("4bf92f3577b34da6a3ce929d0e0e473")));
}

TEST_F(Correlation, IsInEveryLineAboutARequestThatTheProviderDoesNotAnswer) {
  ApiProcess api(database_, environment({{"CIRCUIT_FAILURES", "1"}, {"CIRCUIT_PAUSE_MS", "1"}}));
  provider_.fail("kind=silence&times=100");
  ASSERT_EQ(api.send(traced()).status, 503);
  expect_all_ids(line_of(api.process(), "payment provider does not answer; left alone for a while"));
  expect_all_ids(line_of(api.process(), "released"));
  expect_all_ids(line_of(api.process(), "answered"));
  ASSERT_EQ(api.send(traced()).status, 503);
  expect_all_ids(line_of(api.process(), "probe of the payment provider got no answer"));
  provider_.heal();
  ASSERT_EQ(api.send(traced()).status, 201);
  expect_all_ids(line_of(api.process(), "payment provider answers again"));
}

TEST_F(Correlation, IsInEveryLineAboutARequestThatTheDatabaseRefuses) {
  ApiProcess api(database_, environment());
  ASSERT_EQ(api.send(ride_request(key_, kUser, std::string(kRideForm) + "&raise_error=true")
                         .with("X-Request-Id", "request-7"))
                .status,
            500);
  EXPECT_EQ(line_of(api.process(), "attempt failed").value("request_id", ""), "request-7");
  database_.execute(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;"
      "CREATE TRIGGER refusal BEFORE INSERT ON staged_jobs FOR EACH ROW EXECUTE FUNCTION refuse()");
  ASSERT_EQ(api.send(traced()).status, 500);
  expect_all_ids(line_of(api.process(), "statement failed"));
}

TEST_F(Correlation, GoesOnWhenTheCompleterFinishes) {
  {
    const ApiProcess api(database_, environment());
    provider_.fail("kind=silence&times=9");
    ASSERT_EQ(api.send(traced()).status, 503);
    provider_.heal();
  }
  const std::string passed_on = stored("idempotency_keys");
  database_.execute(
      "UPDATE idempotency_keys SET created_at = now() - interval '1 hour', last_run_at = now() - interval '1 "
      "hour'");
  const RedisServer redis;
  const Environment more{{"DATABASE_URL", database_.url()},
                         {"JOB_QUEUE", redis.url()},
                         {"COMPLETER_IDLE_MS", "20"},
                         {"ENQUEUER_IDLE_MS", "20"}};
  const ChildProcess completer("completer", environment(more));
  const json line = line_of(completer, "completed");
  EXPECT_EQ(line.value("trace_id", ""), kTrace) << line;
  EXPECT_EQ(line.value("key_id", ""), database_.of_key(key_, "id"));
  const auto calls = provider_.ledger().at("traceparents");
  EXPECT_EQ(calls.back(), passed_on);

  const ChildProcess enqueuer("enqueuer", {{"DATABASE_URL", database_.url()}, {"JOB_QUEUE", redis.url()}});
  ASSERT_TRUE(eventually([&] { return redis.jobs().size() == 1; })) << enqueuer.output();
  EXPECT_EQ(redis.jobs().front().at("traceparent"), passed_on);
}

TEST_F(Correlation, OfAJobIsInTheLogIfThatIsTheQueue) {
  database_.execute(
      "INSERT INTO staged_jobs (job_name, job_args, traceparent) VALUES ('one', '{}', $1), ('two', '{}', "
      "NULL)",
      {kTraceparent});
  const ChildProcess enqueuer("enqueuer", {{"DATABASE_URL", database_.url()}, {"LOG_FORMAT", "json"}});
  const json first = json::parse(enqueuer.wait_for_line("\"job_name\":\"one\""));
  EXPECT_EQ(first.value("trace_id", ""), kTrace);
  EXPECT_FALSE(json::parse(enqueuer.wait_for_line("\"job_name\":\"two\"")).contains("trace_id"));
}

TEST_F(Correlation, OfARetryIsThatOfTheRetry) {
  const ApiProcess api(database_, environment());
  provider_.fail("kind=silence&times=9");
  ASSERT_EQ(api.send(ride_request(key_)).status, 503);
  provider_.heal();
  ASSERT_EQ(api.send(traced()).status, 201);
  EXPECT_EQ(stored("idempotency_keys").substr(0, 36), kTraceparent.substr(0, 36));
  EXPECT_EQ(stored("staged_jobs"), stored("idempotency_keys"));
}

}  // namespace
}  // namespace rocket::spec
