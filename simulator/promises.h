#pragma once

#include <chrono>
#include <vector>

#include "pg/query.h"

namespace rocket::simulator {

// Settings of the other processes, and the time after which an unfinished request counts as lost.
struct Limits {
  std::chrono::seconds lease_time;
  std::chrono::seconds completer_grace;
  std::chrono::seconds completer_pause;
  std::chrono::seconds completer_longest_pause;
  std::chrono::seconds key_retention;
  // How long a request may be due before it counts as lost: a request with a charge, and any request.
  std::chrono::seconds due_with_charge;
  std::chrono::seconds due;
};

// A part of the contract that can be checked in the database at any moment, also during traffic.
struct Promise {
  const char* name;
  // Returns one row per offender, with one column, `offender`: the id of a key or, if there is none, what
  // breaks the promise.
  pg::Statement offenders;
  // The parameters of the statement: $1, $2, …
  std::vector<std::chrono::seconds Limits::*> parameters;

  pg::Query query(const Limits& limits) const;
};

// The result lives as long as the program, because queries refer to its statements.
const std::vector<Promise>& promises();

// Returns one row with the columns leased, waiting, due and parked: the number of unfinished keys in each
// state. Completers leave waiting keys alone for now.
pg::Query count_unfinished(const Limits& limits);

}  // namespace rocket::simulator
