#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "rocket/pg/batch.h"
#include "rocket/pg/result.h"

namespace rocket::pg {

// A unit that waits to be committed.
struct Work {
  Unit unit;
  // Called once: with an error, or with the unit's results.
  std::function<void(std::exception_ptr, std::vector<Result>)> complete;
};

// The units that wait for a connection. Not thread safe.
//
// The next batch holds the unit that has waited longest, whatever its statements and its lock key. A caller
// with many units gets at most a few into each batch while others wait, so nobody waits for the crowd of one
// caller. Each unit has a start number for this. The start of a caller advances with each of its units, and
// the smallest start is served first (start-time fair queueing, Goyal, Vin and Cheng 1996). Every batch moves
// the start of newcomers on, so no unit waits for ever.
//
// Only the first of several units with one lock key stands in line. The next one enters at the end of the
// line once the first is taken, so a client that repeats one request many times has only one place.
class WorkQueue {
 public:
  void add(Work work);
  bool empty() const { return lines_.empty(); }

  // Takes the unit that is served next, and up to `limit` units in all that may share a transaction with it,
  // in the order in which they are served. No two of them have the same lock key. Empty if nothing waits.
  std::vector<Work> take_batch(std::size_t limit);

  // Takes everything.
  std::vector<Work> take_all();

 private:
  // The start, then the order of arrival.
  using Turn = std::pair<std::uint64_t, std::uint64_t>;
  // Units that may share a transaction, or exclusive ones of any kind. Never empty.
  using Line = std::map<Turn, Work>;
  struct Caller {
    std::uint64_t next_start = 0;
    std::size_t in_line = 0;
  };

  void enter(Work work);
  std::uint64_t start_of(const Unit& unit);
  void leave(const Unit& unit);

  // One line for each kind of units. There are few kinds.
  std::vector<Line> lines_;
  // The lock keys of the units in line, and the units that wait behind each. Usually none do, and an empty
  // list takes no memory of its own.
  std::unordered_map<std::string, std::list<Work>> behind_;
  // The callers that have units in line.
  std::unordered_map<std::string, Caller> callers_;
  std::uint64_t newcomers_start_ = 0;
  std::uint64_t next_arrival_ = 0;
};

}  // namespace rocket::pg
