#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "spec/support/api_process.h"
#include "spec/support/child_process.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// The log as text. A person who reads it for the first time can tell success, repetition, failure, retry,
// completion and shutdown.
namespace rocket::spec {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

constexpr const char* kDuration = "[0-9]+\\.[0-9] ms";

TEST(LogSentences, SayWhatBecameOfRequests) {
  TestDatabase database;
  ApiProcess api(database);
  const std::string key = new_key();
  api.send(ride_request(key));
  api.send(ride_request(key));
  api.send(ride_request(new_key(), kDeclinedUser));
  const std::string abandoned = new_key();
  api.send(ride_request(abandoned, kUser, std::string(kRideForm) + "&raise_error=true"));
  expect_good_end(api.process());
  const std::string duration(kDuration);
  EXPECT_THAT(
      api.process().output(),
      AllOf(ContainsRegex("info    api: POST /rides answered 201 Created in " + duration + " request_id="),
            ContainsRegex("POST /rides answered 201 Created, as before, in " + duration),
            ContainsRegex("POST /rides answered 402 Payment Required in " + duration),
            HasSubstr(
                "warning api: attempt failed; a retry or the completer goes on: raise_error was asked for"),
            HasSubstr("api: stopping: no new requests; those under way, "),
            HasSubstr("api: stopped: every request has its answer")));

  database.execute(
      "UPDATE idempotency_keys SET created_at = now() - interval '1 day', "
      "last_run_at = now() - interval '1 day'");
  const ChildProcess completer("completer", {{"DATABASE_URL", database.url()}, {"COMPLETER_IDLE_MS", "20"}});
  EXPECT_THAT(completer.wait_for_line(": completed "),
              HasSubstr("completed an abandoned request, from ride_created on, at attempt 2: 201 key_id="));
  expect_good_end(completer);
}

TEST(LogSentences, SayWhatASimulatedClientCameTo) {
  const TestDatabase database;
  const ApiProcess api(database);
  const ChildProcess simulator("simulator", {{"DATABASE_URL", database.url()},
                                             {"API_URL", api.url()},
                                             {"SIMULATOR_RATE", "0"},
                                             {"SIMULATOR_USERS", "1"}});
  EXPECT_THAT(simulator.wait_for_line(" asked for a ride: "),
              ContainsRegex("simulator: simulator-1 asked for a ride: answered 201 after 1 attempt and " +
                            std::string(kDuration)));
  expect_good_end(simulator);
}

}  // namespace
}  // namespace rocket::spec
