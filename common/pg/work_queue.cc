#include "rocket/pg/work_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace rocket::pg {
namespace {

// Each batch moves the start of newcomers on by at least this number. So this many units of a waiting caller
// go before units that come later.
constexpr std::uint64_t kUnitsPerBatch = 8;

}  // namespace

void WorkQueue::add(Work work) {
  if (!work.unit.lock_key.empty()) {
    const auto [found, is_first] = behind_.try_emplace(work.unit.lock_key);
    if (!is_first) {
      found->second.push_back(std::move(work));
      return;
    }
  }
  enter(std::move(work));
}

void WorkQueue::enter(Work work) {
  const auto takes = [&](const Line& line) {
    const Unit& other = line.begin()->second.unit;
    return work.unit.exclusive ? other.exclusive : may_share(other, work.unit);
  };
  auto line = std::find_if(lines_.begin(), lines_.end(), takes);
  if (line == lines_.end()) line = lines_.emplace(lines_.end());
  const Turn turn{start_of(work.unit), next_arrival_++};
  line->emplace_hint(line->end(), turn, std::move(work));
}

std::uint64_t WorkQueue::start_of(const Unit& unit) {
  if (unit.caller.empty()) return newcomers_start_;
  Caller& caller = callers_[unit.caller];
  const std::uint64_t start = std::max(caller.next_start, newcomers_start_);
  caller.next_start = start + 1;
  ++caller.in_line;
  return start;
}

std::vector<Work> WorkQueue::take_batch(std::size_t limit) {
  std::vector<Work> batch;
  const auto line = std::min_element(lines_.begin(), lines_.end(), [](const Line& a, const Line& b) {
    return a.begin()->first < b.begin()->first;
  });
  if (line == lines_.end()) return batch;
  if (line->begin()->second.unit.exclusive) limit = 1;
  const auto end = std::next(line->begin(), static_cast<std::ptrdiff_t>(std::min(limit, line->size())));
  newcomers_start_ = std::max(newcomers_start_ + kUnitsPerBatch, std::prev(end)->first.first);
  for (auto taken = line->begin(); taken != end; ++taken) batch.push_back(std::move(taken->second));
  line->erase(line->begin(), end);
  if (line->empty()) lines_.erase(line);
  // Only now, because leave() lets the next unit of the same lock key enter: a batch must not hold two of
  // them.
  for (const Work& taken : batch) leave(taken.unit);
  return batch;
}

void WorkQueue::leave(const Unit& unit) {
  if (const auto caller = callers_.find(unit.caller); caller != callers_.end()) {
    if (--caller->second.in_line == 0) callers_.erase(caller);
  }
  const auto behind = behind_.find(unit.lock_key);
  if (behind == behind_.end()) return;
  if (behind->second.empty()) {
    behind_.erase(behind);
    return;
  }
  Work next = std::move(behind->second.front());
  behind->second.pop_front();
  enter(std::move(next));
}

std::vector<Work> WorkQueue::take_all() {
  std::vector<Work> all;
  for (Line& line : std::exchange(lines_, {})) {
    for (auto& [turn, work] : line) all.push_back(std::move(work));
  }
  for (auto& [lock_key, waiting] : std::exchange(behind_, {})) {
    std::move(waiting.begin(), waiting.end(), std::back_inserter(all));
  }
  callers_.clear();
  return all;
}

}  // namespace rocket::pg
