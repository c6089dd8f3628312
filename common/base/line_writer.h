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

// Writes lines to a file descriptor on a thread of its own, so that nobody who logs waits for whoever reads.
// Lines keep their order, and up to 4096 bytes they are written whole, also to a pipe that others write to.
//
// While the reader stands still or the disk is full, lines wait in a buffer; what does not fit is dropped,
// and one line says later, in its place, how many there were. A write that fails is tried again, a few times
// a second. Thread safe.
class LineWriter {
 public:
  // Makes the line that stands for so many dropped ones. Called by the writing thread.
  using GapLine = std::function<std::string(std::uint64_t lines)>;

  // The descriptor must outlive the process's wish to log; it is not closed. `capacity`: bytes that may wait;
  // as many may be with the writing thread.
  LineWriter(int descriptor, std::size_t capacity, GapLine gap_line);
  // Writes what waits. It gives up after a second and a half, and at once when a write fails.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // `line` ends with a newline. Never blocks.
  void write(std::string_view line);
  // Waits until all lines so far have been handed to the operating system; false when that takes longer.
  bool flush(std::chrono::milliseconds limit);
  // Lines dropped since the beginning.
  std::uint64_t dropped() const;

 private:
  struct State;

  // Shared with the thread, which is left behind where a write does not return.
  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace rocket
