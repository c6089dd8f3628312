#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "rocket/base/ids.h"
#include "spec/integration/completer_rig.h"
#include "spec/integration/expectations.h"
#include "spec/support/api_process.h"
#include "spec/support/child_process.h"

// What operators do in a shell: completer --list-parked, --show, --resume and --close.
namespace rocket::spec {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class OperatorCommand : public testing::Test {
 protected:
  Finished run(const std::vector<std::string>& flags) {
    return run_to_end("completer", {{"DATABASE_URL", database_.url()}}, flags);
  }
  json run_as_json(std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--format", "json"});
    const Finished finished = run(flags);
    EXPECT_EQ(finished.exit.code, 0) << finished.output;
    return json::parse(finished.output, nullptr, false);
  }

  // Stores a parked key, and returns its text.
  std::string park(const Abandoned& request = {.recovery_point = "ride_created"}) {
    const std::string key = abandon(database_, request);
    database_.execute(
        "UPDATE idempotency_keys SET parked_at = now(), last_error = 'too old' WHERE idempotency_key = $1",
        {key});
    return key;
  }
  std::string id_of(const std::string& key) { return database_.of_key(key, "id"); }

  TestDatabase database_;
};

TEST_F(OperatorCommand, ListsWhatIsParkedAndNothingElse) {
  abandon(database_);
  const std::string older = park();
  const std::string newer = park();
  const json list = run_as_json({"--list-parked"});
  ASSERT_EQ(list.size(), 2U) << list;
  EXPECT_EQ(list[0].at("key_id"), id_of(older));
  EXPECT_EQ(list[1].at("key_id"), id_of(newer));
  EXPECT_EQ(list[0].at("email"), kUser);
  EXPECT_EQ(list[0].at("state"), "parked");
  EXPECT_EQ(list[0].at("point"), "ride_created");
  EXPECT_EQ(list[0].at("error"), "too old");
  EXPECT_THAT(list.dump(), Not(HasSubstr(older))) << "a key is the client's secret";
}

TEST_F(OperatorCommand, ShowsAllAboutAKeyByItsIdOrByItsRide) {
  const std::string key = park();
  const std::string ride = database_.value("SELECT id FROM rides");
  for (const std::string& id : {id_of(key), ride}) {
    const json story = run_as_json({"--show", id});
    EXPECT_EQ(story.at("key_id"), id_of(key));
    EXPECT_EQ(story.at("state"), "parked");
    EXPECT_EQ(story.at("params").at("origin_lat"), 1.5);
    EXPECT_EQ(story.at("ride").at("id"), std::stoi(ride));
    EXPECT_EQ(story.at("ride").at("charge_id"), nullptr);
    EXPECT_EQ(story.at("timeline").at(0).at("what"), "asked");
    EXPECT_EQ(story.at("timeline").back().at("what"), "parked");
    EXPECT_THAT(story.dump(), Not(HasSubstr(key)));
    EXPECT_THAT(run({"--show", id}).output,
                AllOf(HasSubstr("parked at ride_created"), HasSubstr("none is recorded"),
                      HasSubstr("too old"), Not(HasSubstr(key))));
  }
}

TEST_F(OperatorCommand, ShowsChargeRefundAndJobsOfACancelledRide) {
  const ApiProcess api(database_);
  const ClientResponse ride = api.send(ride_request(new_key()));
  ASSERT_EQ(ride.status, 201) << ride.body;
  const std::string cancellation = new_key();
  ClientRequest cancel = cancel_request("1");
  cancel.headers.emplace_back("Idempotency-Key", cancellation);
  ASSERT_EQ(api.send(cancel).status, 200);
  for (const std::string& id : {std::string("1"), id_of(cancellation)}) {
    const json story = run_as_json({"--show", id});
    EXPECT_EQ(story.at("state"), "finished");
    EXPECT_EQ(story.at("ride").at("charge_id"), database_.value("SELECT stripe_charge_id FROM rides"));
    EXPECT_EQ(story.at("refund").at("refund_id"), database_.value("SELECT stripe_refund_id FROM refunds"));
    ASSERT_EQ(story.at("jobs").size(), 2U);
    EXPECT_EQ(story.at("jobs").at(0).at("name"), "send_ride_receipt");
    EXPECT_THAT(run({"--show", id}).output, HasSubstr("job waits  send_refund_receipt"));
  }
}

TEST_F(OperatorCommand, ClosesAParkedKeyAndItsClientGetsThatAnswerFromThenOn) {
  const ApiProcess api(database_);
  const std::string key = new_key();
  ASSERT_EQ(api.send(ride_request(key, kUser, std::string(kRideForm) + "&raise_error=true")).status, 500);
  database_.execute("UPDATE idempotency_keys SET parked_at = now(), last_error = 'too old'");
  expect_failure(api.send(ride_request(key)), 409, "request_parked");

  const json closed = run_as_json({"--close", id_of(key), "--note", "paid by phone ☎"});
  EXPECT_EQ(closed.at("already"), false);
  EXPECT_EQ(closed.at("request").at("state"), "closed");
  EXPECT_EQ(closed.at("request").at("operators").at(0).at("note"), "paid by phone ☎");
  EXPECT_EQ(closed.at("request").at("timeline").back().at("what"), "closed");
  EXPECT_THAT(closed.at("request").at("timeline").back().at("detail").get<std::string>(),
              HasSubstr("paid by phone"));
  for (int i = 0; i < 2; ++i) {
    const ClientResponse answer = api.send(ride_request(key));
    EXPECT_EQ(answer.status, 410);
    EXPECT_EQ(answer.code(), "request_closed");
    EXPECT_EQ(answer.header("idempotent-replayed"), "true");
    EXPECT_EQ(answer.header("retry-after"), "");
    EXPECT_THAT(answer.body, Not(HasSubstr("phone"))) << "a note is for operators";
  }
  EXPECT_EQ(database_.count("audit_records",
                            "action = 'key_closed' AND data->>'operator' <> '' AND "
                            "data->>'note' = 'paid by phone ☎' AND data->>'key_id' = '" +
                                id_of(key) + "'"),
            1);
  EXPECT_EQ(database_.count("key_attempts",
                            "outcome = 'closed' AND from_point = 'ride_created' AND "
                            "to_point = 'finished' AND process = 'completer' AND host <> ''"),
            1);
  EXPECT_THAT(run({"--list-parked"}).output, HasSubstr("0 parked"));
}

TEST_F(OperatorCommand, IsSafeToGiveTwice) {
  const std::string id = id_of(park());
  const std::string other = id_of(park());
  for (const bool again : {false, true}) {
    const json closed = run_as_json({"--close", id, "--note", again ? "another note" : "first"});
    EXPECT_EQ(closed.at("already"), again);
    EXPECT_EQ(closed.at("request").at("state"), "closed");
    const json resumed = run_as_json({"--resume", other});
    EXPECT_EQ(resumed.at("already"), again);
    EXPECT_EQ(resumed.at("request").at("state"), "waiting");
  }
  EXPECT_THAT(run({"--resume", other}).output, HasSubstr("was resumed before"));
  EXPECT_EQ(database_.count("audit_records", "action = 'key_closed' AND data->>'note' = 'first'"), 1);
  EXPECT_EQ(database_.count("audit_records"), 2);
  EXPECT_EQ(database_.count("key_attempts"), 2);
  const Finished too_late = run({"--resume", id});
  EXPECT_EQ(too_late.exit.code, 1);
  EXPECT_THAT(too_late.output, HasSubstr("is closed, so it cannot be resumed"));
}

// Each is told what really happened to the key.
TEST_F(OperatorCommand, IsGivenByTwoOperatorsAtOnceAndOneOfThemDecides) {
  for (int round = 0; round < 5; ++round) {
    const std::string id = id_of(park());
    Finished closing;
    Finished resuming;
    std::thread other([&] { closing = run({"--close", id, "--note", "not needed"}); });
    resuming = run({"--resume", id});
    other.join();
    EXPECT_EQ((closing.exit.code == 0) + (resuming.exit.code == 0), 1) << closing.output << resuming.output;
    EXPECT_EQ(database_.count("audit_records", "data->>'key_id' = '" + id + "'"), 1);
    EXPECT_EQ(database_.count("key_attempts", "key_id = '" + id + "'"), 1);
    EXPECT_EQ(database_.count("idempotency_keys", "id = '" + id + "' AND finished_at IS NOT NULL"),
              closing.exit.code == 0 ? 1 : 0);
  }
}

TEST_F(OperatorCommand, LeavesAloneWhatIsNotParked) {
  const std::string parked = id_of(park());
  const std::string waiting = id_of(abandon(database_));
  for (const std::string& id : {waiting, random_uuid()}) {
    EXPECT_EQ(run({"--close", id, "--note", "why"}).exit.code, 1);
    EXPECT_EQ(run({"--resume", id}).exit.code, 1);
  }
  EXPECT_EQ(run({"--show", random_uuid()}).exit.code, 1);
  EXPECT_EQ(run({"--show", "4711"}).exit.code, 1);
  EXPECT_EQ(database_.count("idempotency_keys", "finished_at IS NULL"), 2);
  EXPECT_EQ(database_.count("idempotency_keys", "parked_at IS NOT NULL AND id = '" + parked + "'"), 1);
  EXPECT_EQ(database_.count("audit_records"), 0);
  EXPECT_EQ(database_.count("key_attempts"), 0);
}

TEST_F(OperatorCommand, RefusesWhatItCannotMean) {
  const std::string id = id_of(park());
  for (const std::vector<std::string>& flags :
       std::vector<std::vector<std::string>>{{"--close", id},
                                             {"--close", id, "--note", "  "},
                                             {"--close", id, "--note", std::string(1001, 'x')},
                                             {"--close", id, "--note", "\xff\xfe"},
                                             {"--close", id, "--note", "\x1b[2J"},
                                             {"--close", "1", "--note", "why"},
                                             {"--resume", "1"},
                                             {"--show", "all"},
                                             {"--list-parked", "--note", "why"},
                                             {"--list-parked", "--show", id},
                                             {"--resume", id, "--close", id, "--note", "why"},
                                             {"--list-parked", "--format", "xml"}}) {
    EXPECT_EQ(run(flags).exit.code, 2) << testing::PrintToString(flags);
  }
  EXPECT_EQ(run({"--close", id, "--note", std::string(999, 'x') + "☎"}).exit.code, 0);
}

// A request's answer may come back to an operator's terminal.
TEST_F(OperatorCommand, ShowsNoControlCharacters) {
  const std::string id = id_of(park());
  database_.execute("UPDATE idempotency_keys SET last_error = 'a' || chr(27) || '[2Jb'");
  for (const std::vector<std::string>& flags :
       std::vector<std::vector<std::string>>{{"--list-parked"}, {"--show", id}}) {
    EXPECT_THAT(run(flags).output, AllOf(HasSubstr("a?[2Jb"), Not(HasSubstr("\x1b"))));
  }
}

}  // namespace
}  // namespace rocket::spec
