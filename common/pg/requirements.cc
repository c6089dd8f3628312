#include "rocket/pg/requirements.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string_view>
#include <utility>

#include "rocket/pg/errors.h"

namespace rocket::pg {
namespace {

// Short, because others wait behind this transaction.
constexpr Statement kShortLockWait{"requirements_lock_wait", "SET LOCAL lock_timeout = '50ms'"};

constexpr Statement kDescribe{"describe_database", R"sql(
SELECT current_setting('server_encoding') AS encoding,
       (pg_is_in_recovery() OR current_setting('transaction_read_only')::bool)::int AS is_read_only
)sql"};

// The planner does not check the right to a sequence that a statement names, so this query does. (An identity
// column needs no such right.) If there is no sequence of that name, the plan fails.
constexpr Statement kFindSequences{"find_sequences", R"sql(
SELECT DISTINCT 'permission denied for sequence ' || name[1] AS missing
  FROM regexp_matches($1, 'nextval\(''(\w+)''\)', 'g') AS name
 WHERE NOT has_sequence_privilege(to_regclass(name[1])::oid, 'USAGE, UPDATE')
 ORDER BY missing
)sql"};

constexpr std::size_t kFirstPlan = 3;

// Parameters are $1, $2 and so on.
std::size_t parameters_in(std::string_view sql) {
  std::size_t highest = 0;
  for (auto at = sql.find('$'); at != std::string_view::npos; at = sql.find('$', at + 1)) {
    std::size_t number = 0;
    for (auto digit = at + 1; digit < sql.size() && std::isdigit(static_cast<unsigned char>(sql[digit])) != 0;
         ++digit) {
      number = number * 10 + static_cast<std::size_t>(sql[digit] - '0');
    }
    highest = std::max(highest, number);
  }
  return highest;
}

void add(std::vector<std::string>& missing, std::string sentence) {
  if (std::find(missing.begin(), missing.end(), sentence) == missing.end()) {
    missing.push_back(std::move(sentence));
  }
}

// Reads the results of the queries that describe the database. The plans follow them.
std::vector<std::string> read_description(const std::vector<Result>& results) {
  const Result& database = results.at(1);
  if (database.integer(0, "is_read_only") != 0) throw Unavailable("the server is read-only");
  std::vector<std::string> missing;
  if (const std::string encoding(database.text(0, "encoding")); encoding != "UTF8") {
    missing.push_back("the database has the encoding " + encoding +
                      ", which cannot hold every answer: it must be UTF8");
  }
  const Result& sequences = results.at(2);
  for (int row = 0; row < sequences.rows(); ++row) add(missing, std::string(sequences.text(row, "missing")));
  return missing;
}

}  // namespace

Requirements::Requirements(const std::vector<Statement>& statements) {
  planned_.reserve(statements.size());
  for (const Statement& each : statements) {
    planned_.push_back(
        {"explain_" + std::string(each.name), "EXPLAIN " + std::string(each.sql), parameters_in(each.sql)});
    all_sql_ += each.sql;
  }
  statements_.reserve(planned_.size());
  for (const Planned& each : planned_) statements_.push_back({each.name.c_str(), each.sql.c_str()});
}

std::vector<Query> Requirements::queries() const {
  std::vector<Query> all;
  all.reserve(kFirstPlan + planned_.size());
  all.emplace_back(kShortLockWait, Params{});
  all.emplace_back(kDescribe, Params{});
  all.emplace_back(kFindSequences, Params{all_sql_});
  for (std::size_t i = 0; i < planned_.size(); ++i) {
    all.emplace_back(statements_[i], Params(planned_[i].parameters));
  }
  return all;
}

asio::awaitable<std::vector<std::string>> Requirements::find_missing(Transact transact) const {
  const std::vector<Query> all = queries();
  try {
    const std::vector<Result> results = co_await transact(all);
    co_return read_description(results);
  } catch (const StatementFailed& failed) {
    if (failed.is_temporary()) throw;
  }
  // The first mistake hides the others, so look at each statement alone.
  std::vector<Query> description(all.begin(), all.begin() + kFirstPlan);
  const std::vector<Result> described = co_await transact(std::move(description));
  std::vector<std::string> missing = read_description(described);
  for (std::size_t i = kFirstPlan; i < all.size(); ++i) {
    std::vector<Query> one{all.front(), all[i]};
    try {
      co_await transact(std::move(one));
    } catch (const StatementFailed& failed) {
      if (failed.is_temporary()) throw;
      add(missing, failed.what());
    }
  }
  co_return missing;
}

}  // namespace rocket::pg
