#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "rocket/pg/batch.h"

namespace rocket::pg {
namespace {

constexpr SetStatement kSet{"spec_set", "SELECT 1 AS n"};

// A result with the column n.
Result result_of(const std::vector<std::string>& numbers) {
  PGresult* result = PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK);
  std::string name = "n";
  PGresAttDesc column{name.data(), 0, 0, 0, 20, 8, -1};
  PQsetResultAttrs(result, 1, &column);
  for (int row = 0; row < static_cast<int>(numbers.size()); ++row) {
    std::string number = numbers[static_cast<std::size_t>(row)];
    PQsetvalue(result, row, 0, number.data(), static_cast<int>(number.size()));
  }
  return Result(result);
}

class BatchOfTwo : public testing::Test {
 protected:
  BatchOfTwo() {
    for (Unit& unit : units_) unit.queries.emplace_back(kSet, Params{});
  }

  std::vector<std::vector<Result>> share_out(const std::vector<std::string>& numbers) {
    return Batch({&units_[0], &units_[1]}).share_out({result_of(numbers)});
  }

  std::vector<Unit> units_{2};
};

TEST_F(BatchOfTwo, GivesEachUnitItsRow) {
  const auto shares = share_out({"2", "1"});
  EXPECT_EQ(shares[0][0].integer(0, "n"), 1);
  EXPECT_EQ(shares[1][0].integer(0, "n"), 2);
}

TEST_F(BatchOfTwo, GivesNothingToAUnitWithoutARow) {
  const auto shares = share_out({"2"});
  EXPECT_TRUE(shares[0][0].empty());
  EXPECT_EQ(shares[1][0].rows(), 1);
}

TEST_F(BatchOfTwo, DoesNotGuessWhichOfTwoRowsIsMeant) {
  EXPECT_THROW(share_out({"1", "2", "1"}), std::logic_error);
}

TEST_F(BatchOfTwo, HasNoThirdUnit) { EXPECT_THROW(share_out({"3"}), std::out_of_range); }

}  // namespace
}  // namespace rocket::pg
