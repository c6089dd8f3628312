#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

namespace rocket {

// Writes lines to a file descriptor on a thread of its own, so that a caller who logs never waits for the
// reader. Lines keep their order. A line of up to 4096 bytes is written whole, also to a pipe that others
// write to.
//
// While the reader stands still or the disk is full, lines wait in a buffer. Lines that do not fit are
// dropped; later, one line in their place says how many. A write that fails is tried again a few times a
// second. Thread safe.
class LineWriter {
 public:
  // Makes the line that replaces this many dropped lines. Called by the writing thread.
  using GapLine = std::function<std::string(std::uint64_t lines)>;

  // The descriptor must stay open as long as the process logs; it is not closed here. `capacity`: bytes that
  // may wait. The writing thread may hold as many again.
  LineWriter(int descriptor, std::size_t capacity, GapLine gap_line);
  // Writes the lines that wait. Gives up after 1.5 seconds, or at once when a write fails.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // `line` ends with a newline. Never blocks.
  void write(std::string_view line);
  // Waits until all lines so far have been handed to the operating system. Returns false if that takes
  // longer.
  bool flush(std::chrono::milliseconds limit);
  // Lines dropped since the beginning.
  std::uint64_t dropped() const;

 private:
  struct State;

  // Shared with the thread, which goes on alone if a write does not return.
  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace rocket
