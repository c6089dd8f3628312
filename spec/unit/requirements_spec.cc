#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>
#include <vector>

#include "api/queries.h"
#include "rocket/idempotency/keys.h"
#include "rocket/pg/query.h"
#include "spec/support/paths.h"

// The statements that the database must support. Those of endpoints come from their flows. All others are in
// lists, which must be complete.
namespace rocket::spec {
namespace {

using Names = std::set<std::string>;

Names names_in(const std::string& file) {
  const std::string source = contents_of(source_dir() + "/" + file);
  const std::regex statement("Statement k[A-Za-z]+\\{\\s*\"([a-z_]+)\"");
  Names names;
  for (std::sregex_iterator each(source.begin(), source.end(), statement), end; each != end; ++each) {
    names.insert((*each)[1].str());
  }
  return names;
}

Names names_of(const std::vector<pg::Statement>& statements) {
  Names names;
  for (const pg::Statement& each : statements) names.insert(each.name);
  return names;
}

TEST(Requirements, IncludeEveryStatementOfKeysAndQueries) {
  Names of_keys = names_in("common/idempotency/keys.cc");
  of_keys.merge(names_in("common/idempotency/history.cc"));
  EXPECT_EQ(names_of(idempotency::key_statements()), of_keys);
  EXPECT_EQ(names_of(api::query_statements()), names_in("api/queries.cc"));
}

}  // namespace
}  // namespace rocket::spec
