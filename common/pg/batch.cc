#include "rocket/pg/batch.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace rocket::pg {
namespace {

// For each unit, its row of a set statement's result, or an empty result if it has none.
std::vector<Result> rows_by_unit(const Result& result, std::size_t units) {
  std::vector<Result> rows(units, result.part(0, 0));
  for (int row = 0; row < result.rows(); ++row) {
    Result& own = rows.at(static_cast<std::size_t>(result.integer(row, "n") - 1));
    // Nothing says which of the two rows counts, and an answer could go to somebody else's request.
    if (!own.empty()) throw std::logic_error("a set statement returned two rows for one unit");
    own = result.part(row, 1);
  }
  return rows;
}

}  // namespace

bool may_share(const Unit& one, const Unit& other) {
  const auto same_statement = [](const Query& a, const Query& b) {
    return std::string_view(a.statement->name) == b.statement->name &&
           a.statement->text_hash == b.statement->text_hash;
  };
  return !one.exclusive && !other.exclusive &&
         std::equal(one.queries.begin(), one.queries.end(), other.queries.begin(), other.queries.end(),
                    same_statement);
}

Batch::Batch(std::vector<const Unit*> units) : units_(std::move(units)) {
  sets_.reserve(steps());
  for (std::size_t step = 0; step < steps(); ++step) {
    std::vector<const Query*> each;
    each.reserve(units_.size());
    for (const Unit* unit : units_) each.push_back(&unit->queries[step]);
    if (is_set(step)) {
      queries_.push_back(&sets_.emplace_back(as_set(each)));
    } else {
      queries_.insert(queries_.end(), each.begin(), each.end());
    }
  }
}

std::vector<std::vector<Result>> Batch::share_out(const std::vector<Result>& results) const {
  std::vector<std::vector<Result>> shares(units_.size());
  auto next = results.begin();
  for (std::size_t step = 0; step < steps(); ++step) {
    const auto count = static_cast<std::ptrdiff_t>(is_set(step) ? 1 : units_.size());
    const std::vector<Result> own =
        is_set(step) ? rows_by_unit(*next, units_.size()) : std::vector<Result>(next, next + count);
    for (std::size_t i = 0; i < units_.size(); ++i) shares[i].push_back(own[i]);
    next += count;
  }
  return shares;
}

}  // namespace rocket::pg
