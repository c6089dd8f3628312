#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "simulator/ledger_check.h"
#include "simulator/promises.h"
#include "simulator/verification.h"
#include "spec/integration/breakages.h"
#include "spec/support/child_process.h"
#include "spec/support/examples.h"
#include "spec/support/requests.h"

// `simulator --verify` finds every broken promise with its name and its key, and nothing else.
namespace rocket::spec {
namespace {

using testing::AllOf;
using testing::HasSubstr;

using Offenders = std::set<std::string>;
using Findings = std::map<std::string, Offenders>;

const std::vector<std::string> kPromisesOfTheLedger{"one charge per charge key at the provider",
                                                    "one refund per refund key at the provider",
                                                    "provider and database agree"};
constexpr const char* kAnswersAreStored = "answers that clients got are stored";

simulator::Limits limits() {
  using std::chrono::seconds;
  return {.lease_time = seconds(90),
          .completer_grace = seconds(300),
          .completer_pause = seconds(60),
          .completer_longest_pause = seconds(3600),
          .key_retention = std::chrono::hours(72),
          .due_with_charge = seconds(30),
          .due = seconds(600)};
}

std::string verdict(const std::string& promise, const std::string& word) {
  return "promise promise=\"" + promise + "\" verdict=" + word;
}

class SimulatorVerify : public testing::Test {
 protected:
  TestDatabase& database() { return whole_.database(); }
  std::string filled_in(const std::string& text) const { return whole_.filled_in(text); }

  Offenders filled_in(const Offenders& offenders) const {
    Offenders filled;
    for (const auto& each : offenders) filled.insert(whole_.filled_in(each));
    return filled;
  }

  void change(const std::string& sql) { ASSERT_GE(database().execute(filled_in(sql)), 1) << sql; }

  // The broken promises with the offenders that each check names.
  Findings findings() {
    Findings found;
    for (const auto& promise : promises_) {
      const pg::Query query = promise.offenders(limits());
      std::vector<std::string> params;
      for (const auto& param : query.params) params.push_back(param.value());
      for (const auto& row : database().rows(query.statement->sql, params)) {
        found[promise.name()].insert(row.at(0).value_or("NULL"));
      }
    }
    return found;
  }

  Findings findings_after(const std::string& sql) {
    database().execute("BEGIN");
    change(sql);
    Findings found = findings();
    database().execute("ROLLBACK");
    return found;
  }

  Finished run_simulator() {
    return run_to_end("simulator",
                      {{"DATABASE_URL", database().url()}, {"MOCK_LEDGER", whole_.ledger().path()}},
                      {"--verify-only", "--settle", "0"});
  }

  WholeDatabase whole_;
  const simulator::Promises promises_ = simulator::promises_of(all_endpoints());
};

TEST_F(SimulatorVerify, FindsEachBrokenPromise) {
  EXPECT_EQ(findings(), Findings());
  whole_.drop_constraints();
  for (const std::string& sql : harmless_changes()) EXPECT_EQ(findings_after(sql), Findings()) << sql;

  std::set<std::string> untested;
  for (const auto& promise : promises_) untested.insert(promise.name());
  for (const auto& [promise, changes] : breakages()) {
    EXPECT_EQ(untested.erase(promise), 1U) << promise;
    for (const Change& each : changes) {
      EXPECT_EQ(findings_after(each.sql)[promise], filled_in(each.offenders)) << each.sql;
    }
  }
  EXPECT_EQ(untested, std::set<std::string>());
}

TEST_F(SimulatorVerify, EndsWithAnErrorThatNamesWhatIsBroken) {
  const Finished good = run_simulator();
  EXPECT_EQ(good.exit.code, 0) << good.output;
  EXPECT_THAT(good.output, HasSubstr(verdict(kAnswersAreStored, "ok")));
  for (const auto& promise : promises_) {
    EXPECT_THAT(good.output, HasSubstr(verdict(promise.name(), "ok")));
  }
  for (const auto& promise : kPromisesOfTheLedger) {
    EXPECT_THAT(good.output, HasSubstr(verdict(promise, "ok")));
  }

  whole_.drop_constraints();
  change(breakages().front().second.front().sql);
  const Finished one = run_simulator();
  EXPECT_EQ(one.exit.code, 1);
  EXPECT_THAT(one.output, HasSubstr(filled_in(verdict(breakages().front().first, "broken") +
                                              " count=2 offenders=\"{ride.key}, {ride.key}\"")));
  for (const auto& [promise, changes] : breakages()) {
    if (promise != breakages().front().first) change(changes.front().sql);
  }
  std::ofstream(whole_.ledger().path(), std::ios::app)
      << filled_in("{other.charge_key} cus 2000 {ride.id} ch_ -\n")
      << filled_in("re_key ch_of_nobody -2000 {ride.id} re_1 -\n");
  const Finished all = run_simulator();
  EXPECT_EQ(all.exit.code, 1);
  for (const auto& promise : promises_) {
    EXPECT_THAT(all.output, HasSubstr(verdict(promise.name(), "broken")));
  }
  for (const auto& promise : kPromisesOfTheLedger) {
    EXPECT_THAT(all.output, HasSubstr(verdict(promise, "broken")));
  }
}

TEST_F(SimulatorVerify, CountsWhatItCannotCheckAsBroken) {
  database().execute("ALTER TABLE deposits RENAME idempotency_key_id TO asked_by");
  std::ofstream(whole_.ledger().path(), std::ios::app) << "half a line\n";
  const Finished finished = run_simulator();
  EXPECT_EQ(finished.exit.code, 1);
  EXPECT_THAT(finished.output, AllOf(HasSubstr(verdict("one row of deposits per key", "unchecked")),
                                     HasSubstr(verdict("one row of rides per key", "ok")),
                                     HasSubstr(verdict(kPromisesOfTheLedger.front(), "unchecked"))));
}

TEST_F(SimulatorVerify, FindsAnswersThatWereLost) {
  process::StopSignal stop;
  const Log silent;
  simulator::Database connection(database().url(), silent, stop);
  const auto client_key = WholeDatabase::client_key("ride");
  const auto now = std::chrono::steady_clock::now();
  const simulator::Acknowledged ride{kUser, client_key, 201, database().of_key(client_key, "response_body"),
                                     now};
  // Returns the output.
  const auto verify = [&](const simulator::Acknowledged& answer, int broken) {
    testing::internal::CaptureStdout();
    {
      const Log report("simulator", {});
      simulator::Verification verification(connection, all_endpoints(),
                                           {limits(), std::chrono::seconds(0), ""}, report, stop);
      EXPECT_EQ(verification.run({ride, answer}), broken);
    }
    return testing::internal::GetCapturedStdout();
  };
  const std::string named = verdict(kAnswersAreStored, "broken") + " count=1 offenders=";

  EXPECT_THAT(verify(ride, 0), HasSubstr(verdict(kAnswersAreStored, "ok")));
  auto other = ride;
  other.body += ' ';
  EXPECT_THAT(verify(other, 1), HasSubstr(filled_in(named + "{ride.key}")));
  other = ride;
  other.status = 402;
  EXPECT_THAT(verify(other, 1), HasSubstr(filled_in(named + "{ride.key}")));
  other = ride;
  other.key = new_key();
  EXPECT_THAT(verify(other, 1),
              HasSubstr(filled_in(named + "\"an answer for user {user} whose key is gone\"")));
  // Reaped.
  other.at = now - std::chrono::hours(73);
  EXPECT_THAT(verify(other, 0), HasSubstr(verdict(kAnswersAreStored, "ok")));
}

// A correct ledger without some lines, and with lines that should not be there.
struct LedgerBreakage {
  // Lines that contain this text are left out.
  std::string without;
  std::string with;
  Offenders charged_twice;
  Offenders refunded_twice;
  Offenders disagreeing;
};

std::vector<LedgerBreakage> ledger_breakages() {
  const Offenders ride{"{ride.charge_key}"};
  const std::string stranger = "another-key (not in the database)";
  return {
      {"nothing", "", {}, {}, {}},
      // A repetition.
      {"nothing", "{ride.charge_key} cus_user 2000 {ride.id} {ride.charge} lost", {}, {}, {}},
      {"nothing",
       "another-key cus_user 2000 {ride.id} {ride.charge} -",
       {"{ride.charge_key}", "another-key"},
       {},
       {stranger}},
      {"nothing", "{ride.charge_key} cus_user 2000 {ride.id} ch_second -", ride, {}, {}},
      {" 2000 {ride.id} ", "", {}, {}, ride},
      {" 2000 {ride.id} ",
       "another-key cus_user 2000 {ride.id} {ride.charge} -",
       {},
       {},
       {"{ride.charge_key}", stranger}},
      {" 2000 {ride.id} ", "{ride.charge_key} cus_user 2000 {ride.id} ch_another -", {}, {}, ride},
      {" 2000 {ride.id} ", "{ride.charge_key} cus_user 2000 {ride.id} declined -", {}, {}, ride},
      {" 2000 {declined.id} ",
       "{declined.charge_key} cus_user 2000 {declined.id} ch_another -",
       {},
       {},
       {"{declined.charge_key}"}},
      {" -2000 {cancelled.id} ", "", {}, {}, {"{cancelled.refund_key}"}},
      {"nothing",
       "{cancelled.refund_key} {cancelled.charge} -2000 {cancelled.id} re_second -",
       {},
       {"{cancelled.refund_key}"},
       {}},
      {"nothing",
       "another-key {cancelled.charge} -2000 {cancelled.id} re_second -",
       {},
       {"{cancelled.refund_key}", "another-key"},
       {stranger}},
      {"nothing", "another-key {ride.charge} -2000 {ride.id} re_unasked -", {}, {}, {stranger}},
      {"nothing", "another-key ch_of_nobody -2000 {ride.id} re_unasked -", {}, {"another-key"}, {stranger}},
  };
}

TEST_F(SimulatorVerify, FindsWhatTheProvidersLedgerContradicts) {
  process::StopSignal stop;
  const Log silent;
  simulator::Database connection(database().url(), silent, stop);
  const auto set_of = [](const std::vector<std::string>& found) {
    return Offenders(found.begin(), found.end());
  };
  for (const LedgerBreakage& each : ledger_breakages()) {
    const Ledger broken;
    {
      std::ifstream from(whole_.ledger().path());
      std::ofstream to(broken.path());
      for (std::string line; std::getline(from, line);) {
        if (line.find(filled_in(each.without)) == std::string::npos) to << line << '\n';
      }
      if (!each.with.empty()) to << filled_in(each.with) << '\n';
    }
    const auto found = simulator::check_ledger(connection, all_endpoints(), broken.path());
    ASSERT_TRUE(found.has_value());
    const std::string what = "without '" + each.without + "', with '" + each.with + "'";
    EXPECT_EQ(set_of(found->charged_twice), filled_in(each.charged_twice)) << what;
    EXPECT_EQ(set_of(found->refunded_twice), filled_in(each.refunded_twice)) << what;
    EXPECT_EQ(set_of(found->disagreeing), filled_in(each.disagreeing)) << what;
  }
}

// The charge was made, and its answer was lost. An operator knows that, and has ended the request.
TEST_F(SimulatorVerify, LeavesAnUnrecordedChargeOfAClosedRequestToItsOperator) {
  process::StopSignal stop;
  const Log silent;
  simulator::Database connection(database().url(), silent, stop);
  std::ofstream(whole_.ledger().path(), std::ios::app)
      << filled_in("{open.charge_key} cus_user 2000 {open.id} ch_lost lost\n");
  const auto disagreeing = [&] {
    return simulator::check_ledger(connection, all_endpoints(), whole_.ledger().path())->disagreeing;
  };
  const std::string finish = "UPDATE idempotency_keys SET recovery_point = 'finished', finished_at = now(), ";
  change(finish +
         R"(response_code = 402, response_body = '{"code":"card_declined"}' WHERE id = '{open.key}')");
  EXPECT_EQ(disagreeing(), std::vector<std::string>{filled_in("{open.charge_key}")});
  change(finish +
         R"(response_code = 410, response_body = '{"code":"request_closed"}' WHERE id = '{open.key}')");
  EXPECT_EQ(disagreeing(), std::vector<std::string>());
}

}  // namespace
}  // namespace rocket::spec
