#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "rocket/base/ids.h"
#include "rocket/idempotency/compose.h"
#include "rocket/pg/query.h"
#include "rocket/pg/session.h"
#include "rocket/process/event_loop.h"
#include "spec/fault/contents.h"
#include "spec/support/engine_rig.h"
#include "spec/support/examples.h"

// Runs every statement of every phase of the program by itself. The statement must do its work for the key
// with this id, lease and recovery point, and must do nothing if one of the three differs.
namespace rocket::spec {
namespace {

using idempotency::ForeignPhase;
using idempotency::Step;

struct Case {
  const endpoints::Endpoint* endpoint;
  std::size_t step;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const endpoints::Endpoint& endpoint : all_endpoints()) {
    for (std::size_t step = 0; step < endpoint.flow.steps().size(); ++step)
      cases.push_back({&endpoint, step});
  }
  return cases;
}

struct Held {
  std::string id;
  std::string lease;
};

// A statement. `records` means that it has one more parameter.
struct Part {
  const pg::Statement* statement;
  bool records;
};

// The statements that begin at a step. Every statement of a flow begins at some step.
std::vector<Part> parts_of(const idempotency::Flow& flow, const Step& step) {
  std::vector<Part> parts{{&flow.from(step.recovery_point).statements.front()->statement(), false}};
  if (std::holds_alternative<ForeignPhase>(step.phase)) {
    parts.push_back({&flow.after_call(step.recovery_point).statements.front()->statement(), true});
  }
  return parts;
}

// The text of a statement that takes a key through one step, and no further.
std::string through_step(const idempotency::Flow& flow, std::size_t step) {
  const std::vector<Step>& steps = flow.steps();
  idempotency::StatementParts parts;
  parts.recovery_point = steps[step].recovery_point;
  parts.is_answered = std::holds_alternative<ForeignPhase>(steps[step].phase);
  for (std::size_t i = 0; i < step; ++i) parts.bodies.emplace_back(idempotency::body_of(steps[i]).reads);
  parts.bodies.emplace_back(idempotency::body_of(steps[step]).makes);
  parts.end = idempotency::UntilPoint{steps[step + 1].recovery_point};
  return idempotency::compose(parts);
}

class Fences : public testing::TestWithParam<Case> {
 protected:
  // Returns the number of rows in the result.
  int run(const Part& part, const Held& key) {
    pg::Params params{key.id, key.lease};
    if (part.records) params.emplace_back("recorded_" + std::to_string(++recorded_));
    const pg::Query query(*part.statement, std::move(params));
    const std::vector<const pg::Query*> alone{&query};
    return loop_.run(session_.run(part.statement->takes_set ? pg::as_set(alone) : query)).rows();
  }

  // The key of an example that has reached the step.
  Held key_at_step() {
    const auto& [endpoint, step] = GetParam();
    const auto run_before = [&](const endpoints::Endpoint& before, const Prepared& prepared) {
      return body_of(rig_.run(engine_example(before, prepared, new_key())));
    };
    const Prepared prepared = prepare(*endpoint, run_before);
    Held key{random_uuid(), random_uuid()};
    database_.execute(
        "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
        "request_params,"
        " lease, locked_at) SELECT $1, id, $2, $3, $4, $5::jsonb, $6, now() FROM users WHERE email = $7",
        {key.id, new_key(), endpoint->method, prepared.path, prepared.parameters, key.lease, kUser});
    for (std::size_t i = 0; i < step; ++i) {
      const std::string name = "through_step_" + std::to_string(i);
      const idempotency::ComposedStatement through(name, through_step(endpoint->flow, i));
      const bool records = std::holds_alternative<ForeignPhase>(endpoint->flow.steps()[i].phase);
      EXPECT_EQ(run({&through.statement(), records}, key), 1);
    }
    EXPECT_EQ(point_of(key), endpoint->flow.steps()[step].recovery_point);
    return key;
  }

  std::string point_of(const Held& key) {
    return database_.value("SELECT recovery_point FROM idempotency_keys WHERE id = $1", {key.id});
  }
  void set_point(const Held& key, const std::string& point) {
    database_.execute("UPDATE idempotency_keys SET recovery_point = $2 WHERE id = $1", {key.id, point});
  }

  // The whole contents of the database.
  std::string everything() {
    return database_.value(
        "SELECT string_agg(query_to_xml(format('SELECT * FROM %I ORDER BY 1', relname), true, true, "
        "'')::text, '' "
        "ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace");
  }
  // The rows that this key's request has made so far.
  std::string made_by(const Held& key) {
    std::string made;
    for (const std::string& table : tables_of_requests(database_)) {
      made += database_.value(
          "SELECT query_to_xml(format('SELECT * FROM %I WHERE idempotency_key_id = %L', $1::text, $2::text), "
          "true, true, "
          "'')",
          {table, key.id});
    }
    return made;
  }
  void expect_nothing(const Part& part, const Held& key) {
    const std::string before = everything();
    EXPECT_EQ(run(part, key), 0);
    EXPECT_EQ(everything(), before);
  }

  TestDatabase database_;
  EngineRig rig_{database_};
  process::EventLoop loop_;
  pg::Session session_{{.url = database_.url()}};
  int recorded_ = 0;
};

TEST_P(Fences, KeepEveryoneOutWhoIsNotMeant) {
  const auto& [endpoint, step] = GetParam();
  const Held key = key_at_step();
  const Held other = key_at_step();
  const std::string here(endpoint->flow.steps()[step].recovery_point);
  for (const Part& part : parts_of(endpoint->flow, endpoint->flow.steps()[step])) {
    SCOPED_TRACE(part.statement->name);
    {
      SCOPED_TRACE("another lease");
      expect_nothing(part, {key.id, random_uuid()});
    }
    {
      SCOPED_TRACE("another key's lease");
      expect_nothing(part, {key.id, other.lease});
    }
    {
      SCOPED_TRACE("another recovery point");
      set_point(key, "elsewhere");
      expect_nothing(part, key);
      set_point(key, here);
    }
    // The keys of one completer round share a lease. The statement must still touch only its own key.
    database_.execute("UPDATE idempotency_keys SET lease = $2 WHERE id = $1", {other.id, key.lease});
    const std::string others = made_by(other);
    EXPECT_EQ(run(part, key), 1);
    EXPECT_EQ(point_of(other), here);
    EXPECT_EQ(made_by(other), others);
    database_.execute("UPDATE idempotency_keys SET lease = $2 WHERE id = $1", {other.id, other.lease});
  }
}

INSTANTIATE_TEST_SUITE_P(Of, Fences, testing::ValuesIn(all_cases()), [](const auto& each) {
  return name_of(*each.param.endpoint) + std::to_string(each.param.step);
});

}  // namespace
}  // namespace rocket::spec
