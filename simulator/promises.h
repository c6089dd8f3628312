#pragma once

#include <chrono>
#include <deque>
#include <string>
#include <vector>

#include "rocket/endpoints/endpoint.h"
#include "rocket/pg/query.h"

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
class Promise {
 public:
  using Parameters = std::vector<std::chrono::seconds Limits::*>;

  // `offenders` is SQL that returns one row per offender, with one column, `offender`: the id of a key or, if
  // there is none, what breaks the promise. Its parameters are $1, $2, …
  Promise(std::string name, std::string offenders, Parameters parameters = {});
  ~Promise() = default;
  // Queries point to its statement.
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  const std::string& name() const { return name_; }
  // The promise must outlive it.
  pg::Query offenders(const Limits& limits) const;

 private:
  std::string name_;
  std::string sql_;
  Parameters parameters_;
  pg::Statement statement_;
};
using Promises = std::deque<Promise>;

// What every endpoint promises by its declaration, and what rides, refunds and deposits promise besides.
Promises promises_of(const endpoints::Endpoints& endpoints);

// Returns one row with the columns leased, waiting, due and parked: the number of unfinished keys in each
// state. Completers leave waiting keys alone for now.
pg::Query count_unfinished(const Limits& limits);

}  // namespace rocket::simulator
