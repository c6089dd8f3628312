#pragma once

#include <chrono>
#include <vector>

#include "pg/query.h"

namespace rocket::simulator {

// What the other processes run with, and from when on an unfinished request counts as lost.
struct Limits {
  std::chrono::seconds lease_time;
  std::chrono::seconds completer_grace;
  std::chrono::seconds completer_pause;
  std::chrono::seconds completer_longest_pause;
  std::chrono::seconds key_retention;
  // How long a request may be due before somebody works on it: with a charge, and in general.
  std::chrono::seconds due_with_charge;
  std::chrono::seconds due;
};

// Something of the contract that can be read off the database at any moment, traffic or not.
struct Promise {
  const char* name;
  // Rows with one column, `offender`: the id of a key, or, where there is none, what breaks the promise.
  pg::Statement offenders;
  // What is bound to it: $1, $2, …
  std::vector<std::chrono::seconds Limits::*> parameters;

  pg::Query query(const Limits& limits) const;
};

// Lives as long as the program, as queries require of their statements.
const std::vector<Promise>& promises();

// One row with the columns leased, waiting, due, parked: how many unfinished keys are in which state. Waiting
// are those that completers leave alone for now.
pg::Query count_unfinished(const Limits& limits);

}  // namespace rocket::simulator
