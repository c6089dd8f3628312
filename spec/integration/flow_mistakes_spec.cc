#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/use_future.hpp>
#include <functional>
#include <future>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "rocket/idempotency/engine.h"
#include "rocket/idempotency/flow.h"
#include "rocket/process/block_on.h"
#include "spec/support/engine_rig.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"

// What becomes of requests whose flow has a mistake, as somebody's first flow may have.
namespace rocket::spec {
namespace {

using idempotency::Body;
using idempotency::Flow;
using idempotency::FlowDeclaration;
using idempotency::ForeignPhase;
using idempotency::LocalPhase;
using testing::HasSubstr;

constexpr const char* kGoodNeeds = "SELECT n, id AS key_id FROM key";
constexpr const char* kGoodAnswer = "SELECT n, id AS key_id, '{}'::json AS body FROM key";
constexpr Body kNoteMade{"made AS (INSERT INTO work SELECT id, 'made' FROM key)"};
constexpr Body kNoteCalled{"called AS (INSERT INTO work SELECT id, 'called' FROM key)"};

class FlowMistake : public testing::Test {
 protected:
  FlowMistake() { database_.execute("CREATE TABLE work (key_id uuid, what text)"); }

  FlowDeclaration declare(const char* needs = kGoodNeeds, const char* answer = kGoodAnswer) {
    const auto call = [this](const pg::Result&,
                             const SharedRequestIds&) -> asio::awaitable<idempotency::ForeignOutcome> {
      ++calls_;
      co_return idempotency::Recorded{"id"};
    };
    return {.name = "work",
            .owner = "SELECT 1::bigint",
            .steps = {{"started", LocalPhase{kNoteMade}}, {"made", ForeignPhase{needs, call, kNoteCalled}}},
            .answer = {200, answer}};
  }
  std::string run(const Flow& flow, idempotency::Request request, std::size_t number) {
    pg::Lane& lane = rig_.lane(number);
    return describe(process::block_on(lane.executor(), rig_.engine().run(lane, flow, std::move(request))));
  }
  // Each run is on another lane, as each version of a program has connections of its own.
  std::string run(const Flow& flow) { return run(flow, engine_ride(key_), next_lane_++); }
  bool becomes_free() {
    return eventually([&] { return database_.count("idempotency_keys", "lease IS NOT NULL") == 0; });
  }

  TestDatabase database_;
  EngineRig rig_{database_, {.lanes = 4, .rides = {}, .engine = {}}};
  std::size_t next_lane_ = 0;
  const std::string key_ = new_key();
  int calls_ = 0;
};

TEST_F(FlowMistake, NoneIsNone) {
  EXPECT_EQ(run(Flow(declare())), "200");
  EXPECT_EQ(database_.value("SELECT string_agg(what, ' ' ORDER BY what) FROM work"), "called made");
}

TEST_F(FlowMistake, ThatLosesTheAnswerTakesNoEffectAndIsNotRepeated) {
  const Flow flow(declare(kGoodNeeds, "SELECT n, id AS key_id, '{}'::json AS body FROM key WHERE false"));
  EXPECT_EQ(run(flow), "internal");
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(database_.count("work", "what = 'called'"), 0);
  EXPECT_TRUE(becomes_free());
  EXPECT_EQ(database_.of_key(key_, "recovery_point"), "made");
  // The next version of the program can go on.
  EXPECT_EQ(run(Flow(declare())), "200");
  EXPECT_EQ(database_.count("work"), 2);
}

TEST_F(FlowMistake, ThatAnswersTwiceTakesNoEffect) {
  const Flow flow(
      declare(kGoodNeeds, "SELECT n, id AS key_id, '{}'::json AS body FROM key, generate_series(1, 2)"));
  EXPECT_EQ(run(flow), "internal");
  EXPECT_EQ(database_.count("work", "what = 'called'"), 0);
  EXPECT_TRUE(becomes_free());
}

TEST_F(FlowMistake, ThatLosesWhatTheCallNeedsTakesNoEffect) {
  for (const char* needs : {"SELECT n, id AS key_id FROM key WHERE false",
                            "SELECT n, id AS key_id FROM key, generate_series(1, 2)"}) {
    EXPECT_EQ(run(Flow(declare(needs))), "internal") << needs;
  }
  EXPECT_EQ(calls_, 0);
  EXPECT_EQ(database_.count("work"), 0);
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
}

// The same where the flow goes on later.
TEST_F(FlowMistake, ThatLosesWhatTheCallNeedsLaterTakesNoEffect) {
  FlowDeclaration stopping = declare();
  std::get<ForeignPhase>(stopping.steps[1].phase).call =
      [](const pg::Result&, const SharedRequestIds&) -> asio::awaitable<idempotency::ForeignOutcome> {
    co_return idempotency::Unanswered{"later"};
  };
  EXPECT_EQ(run(Flow(std::move(stopping))), "foreign_unavailable");
  EXPECT_EQ(run(Flow(declare("SELECT n, id AS key_id FROM key WHERE false"))), "internal");
  EXPECT_TRUE(becomes_free());
  EXPECT_EQ(calls_, 0);
  EXPECT_EQ(run(Flow(declare())), "200");
}

TEST_F(FlowMistake, ThatLosesTheOnlyAnswerTakesNoEffect) {
  FlowDeclaration local =
      declare(kGoodNeeds, "SELECT n, id AS key_id, '{}'::json AS body FROM key WHERE false");
  local.steps.pop_back();
  EXPECT_EQ(run(Flow(std::move(local))), "internal");
  EXPECT_EQ(database_.count("work"), 0);
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
}

TEST_F(FlowMistake, OfOneRequestDoesNotHurtItsNeighbours) {
  const Flow flow(declare(
      kGoodNeeds,
      "SELECT n, id AS key_id, '{}'::json AS body FROM key WHERE request_params->>'origin_lat' <> '9'"));
  idempotency::Request bad = engine_ride(key_);
  bad.params = R"({"origin_lat": 9})";
  std::vector<std::future<idempotency::Outcome>> attempts;
  {
    const Pause together(rig_.lane());
    for (idempotency::Request request : {engine_ride(new_key()), bad, engine_ride(new_key())}) {
      attempts.push_back(asio::co_spawn(rig_.lane().executor(),
                                        rig_.engine().run(rig_.lane(), flow, std::move(request)),
                                        asio::use_future));
    }
  }
  EXPECT_EQ(describe(answer_of(attempts[0])), "200");
  EXPECT_EQ(describe(answer_of(attempts[1])), "internal");
  EXPECT_EQ(describe(answer_of(attempts[2])), "200");
  EXPECT_EQ(database_.count("work", "what = 'called'"), 2);
}

// Statements are prepared by name. The second flow must not run those of the first one.
TEST_F(FlowMistake, OfTwoFlowsWithOneNameIsNoticed) {
  EXPECT_EQ(run(Flow(declare()), engine_ride(key_), 0), "200");
  FlowDeclaration other = declare();
  other.steps[0].phase = LocalPhase{Body{"made AS (INSERT INTO work SELECT id, 'other' FROM key)"}};
  EXPECT_EQ(run(Flow(std::move(other)), engine_ride(new_key()), 0), "internal");
  EXPECT_EQ(database_.count("work"), 2);
}

// A provider's text may be cut in the middle of a character.
TEST_F(FlowMistake, InTheTextOfAReasonDoesNotChangeWhatBecomesOfTheKey) {
  const auto outcome_of = [&](idempotency::ForeignOutcome outcome) {
    FlowDeclaration flow = declare();
    std::get<ForeignPhase>(flow.steps[1].phase).call = [outcome](const pg::Result&, const SharedRequestIds&)
        -> asio::awaitable<idempotency::ForeignOutcome> { co_return outcome; };
    return run(Flow(std::move(flow)), engine_ride(new_key()), 0);
  };
  EXPECT_EQ(outcome_of(idempotency::Unanswered{"caf\xc3"}), "foreign_unavailable");
  EXPECT_EQ(outcome_of(idempotency::NeedsPerson{"caf\xc3"}), "parked");
  EXPECT_EQ(outcome_of(idempotency::Ended{402, "{}", "caf\xc3"}), "402");
  EXPECT_EQ(database_.count("idempotency_keys", "last_error = 'caf\xef\xbf\xbd'"), 3);
  EXPECT_TRUE(becomes_free());
}

TEST_F(FlowMistake, IsToldAtTheStartWhereThatIsPossible) {
  const auto mistake = [&](const std::function<void(FlowDeclaration&)>& make) -> std::string {
    FlowDeclaration flow = declare();
    make(flow);
    try {
      const Flow made(std::move(flow));
    } catch (const std::logic_error& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_EQ(mistake([](FlowDeclaration&) {}), "none");
  EXPECT_THAT(mistake([](FlowDeclaration& flow) { flow.owner = nullptr; }),
              HasSubstr("work must say who owns"));
  EXPECT_THAT(mistake([](FlowDeclaration& flow) { flow.answer.body = nullptr; }),
              HasSubstr("must have an answer"));
  EXPECT_THAT(mistake([](FlowDeclaration& flow) { flow.steps.clear(); }), HasSubstr("first step at started"));
  EXPECT_THAT(mistake([](FlowDeclaration& flow) { flow.steps[1].recovery_point = "started"; }),
              HasSubstr("one step for each recovery point"));
  for (const char* point : {"", "it's", "a-recovery-point-that-is-longer-than-fifty-characters"}) {
    EXPECT_THAT(mistake([&](FlowDeclaration& flow) { flow.steps[1].recovery_point = point; }),
                HasSubstr("at most 50 characters"))
        << point;
  }
  const auto of_call = [&](const std::function<void(ForeignPhase&)>& make) {
    return mistake([&](FlowDeclaration& flow) { make(std::get<ForeignPhase>(flow.steps[1].phase)); });
  };
  EXPECT_THAT(of_call([](ForeignPhase& phase) { phase.needs = nullptr; }),
              HasSubstr("must say what each call needs"));
  EXPECT_THAT(of_call([](ForeignPhase& phase) { phase.call = nullptr; }),
              HasSubstr("have a function for it"));
}

}  // namespace
}  // namespace rocket::spec
