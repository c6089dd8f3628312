#include "rocket/base/line_writer.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace rocket {
namespace {

using std::chrono::milliseconds;

// How long the thread gathers lines, so that they share one write and, above all, one wake-up of the thread.
constexpr milliseconds kGathering{2};
constexpr milliseconds kPauseAfterFailure{200};
constexpr milliseconds kLastWrites{1500};
// An empty buffer with more capacity than this gives its memory back.
constexpr std::size_t kCapacityKept = 65'536;

// Returns the size of the first lines of `text` that a pipe takes whole in one write; at least one line.
std::size_t whole_lines(std::string_view text) {
  if (text.size() <= PIPE_BUF) return text.size();
  const auto last = text.substr(0, PIPE_BUF).rfind('\n');
  return (last != std::string_view::npos ? last : text.find('\n')) + 1;
}

}  // namespace

struct LineWriter::State {
  State(int where, std::size_t most, GapLine made_by)
      : descriptor(where), capacity(most), gap_line(std::move(made_by)) {}

  void run();
  // Returns when all is written, or when a write fails while the writer is closing.
  void write_all(std::string_view text);
  bool pause_unless_closing();

  const int descriptor;
  const std::size_t capacity;
  const GapLine gap_line;

  std::mutex mutex;
  std::condition_variable filled;
  std::condition_variable advanced;
  std::string waiting;
  // Number of lines that came after those in `waiting` and found no room.
  std::uint64_t gap = 0;
  std::uint64_t dropped = 0;
  // All bytes taken into `waiting` so far, and how many of them have been written.
  std::uint64_t taken = 0;
  std::uint64_t written = 0;
  bool hurry = false;
  bool closing = false;
  bool ended = false;
};

void LineWriter::State::run() {
  std::string lines;
  std::unique_lock lock(mutex);
  for (;;) {
    filled.wait(lock, [this] { return !waiting.empty() || closing; });
    if (waiting.empty()) break;
    filled.wait_for(lock, kGathering, [this] { return hurry || closing; });
    hurry = false;
    lines.swap(waiting);
    const std::uint64_t end = taken;
    const std::uint64_t missing = std::exchange(gap, 0);
    lock.unlock();
    if (missing > 0) lines += gap_line(missing);
    write_all(lines);
    lines.clear();
    if (lines.capacity() > kCapacityKept) lines.shrink_to_fit();
    lock.lock();
    written = end;
    advanced.notify_all();
  }
  ended = true;
  advanced.notify_all();
}

void LineWriter::State::write_all(std::string_view text) {
  while (!text.empty()) {
    std::string_view part = text.substr(0, whole_lines(text));
    text.remove_prefix(part.size());
    while (!part.empty()) {
      const ssize_t size = ::write(descriptor, part.data(), part.size());
      if (size >= 0) {
        part.remove_prefix(static_cast<std::size_t>(size));
      } else if (errno == EAGAIN) {
        // Someone who shares the descriptor has made it non-blocking.
        pollfd watched{descriptor, POLLOUT, 0};
        ::poll(&watched, 1, static_cast<int>(kPauseAfterFailure.count()));
      } else if (errno != EINTR && !pause_unless_closing()) {
        return;
      }
    }
  }
}

bool LineWriter::State::pause_unless_closing() {
  std::unique_lock lock(mutex);
  return !filled.wait_for(lock, kPauseAfterFailure, [this] { return closing; });
}

LineWriter::LineWriter(int descriptor, std::size_t capacity, GapLine gap_line)
    : state_(std::make_shared<State>(descriptor, capacity, std::move(gap_line))),
      thread_([state = state_] { state->run(); }) {}

LineWriter::~LineWriter() {
  std::unique_lock lock(state_->mutex);
  state_->closing = true;
  state_->filled.notify_all();
  const bool ended = state_->advanced.wait_for(lock, kLastWrites, [this] { return state_->ended; });
  lock.unlock();
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void LineWriter::write(std::string_view line) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  const bool was_empty = state.waiting.empty();
  // A line larger than the capacity fits when nothing else waits. No line is added after a gap.
  if (state.gap > 0 || (!was_empty && state.waiting.size() + line.size() > state.capacity)) {
    ++state.gap;
    ++state.dropped;
    return;
  }
  state.waiting += line;
  state.taken += line.size();
  lock.unlock();
  if (was_empty) state.filled.notify_one();
}

bool LineWriter::flush(milliseconds limit) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  const std::uint64_t end = state.taken;
  state.hurry = !state.waiting.empty();
  state.filled.notify_all();
  return state.advanced.wait_for(lock, limit, [&] { return state.written >= end; });
}

std::uint64_t LineWriter::dropped() const {
  const std::lock_guard lock(state_->mutex);
  return state_->dropped;
}

}  // namespace rocket
