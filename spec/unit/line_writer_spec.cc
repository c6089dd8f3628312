#include "rocket/base/line_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace rocket {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSoon{5000};
constexpr milliseconds kAtOnce{0};

class Pipe {
 public:
  Pipe() {
    std::signal(SIGPIPE, SIG_IGN);
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    ::fcntl(ends_[1], F_SETPIPE_SZ, 4096);
  }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int writing_end() const { return ends_[1]; }
  void close_reader() { close(ends_[0]); }
  void close_writer() { close(ends_[1]); }
  // Leaves the end open, because a thread may still use it.
  void leave_writer_open() { ends_[1] = -1; }
  // Fills the pipe until it takes no more.
  void fill() {
    ::fcntl(ends_[1], F_SETFL, O_NONBLOCK);
    while (::write(ends_[1], "x", 1) == 1) ++filling_;
    ::fcntl(ends_[1], F_SETFL, 0);
  }
  // Reads until the writing end is closed. Leaves out the bytes of fill().
  std::string read_to_end() {
    std::string text;
    std::array<char, 4096> bytes{};
    ssize_t size = 0;
    while ((size = ::read(ends_[0], bytes.data(), bytes.size())) > 0) {
      text.append(bytes.data(), static_cast<std::size_t>(size));
    }
    return text.substr(filling_);
  }

 private:
  static void close(int& descriptor) {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = -1;
  }

  std::array<int, 2> ends_{};
  std::size_t filling_ = 0;
};

std::string gap_line(std::uint64_t lines) { return "gap of " + std::to_string(lines) + "\n"; }

TEST(LineWriter, WritesAllLinesInOrder) {
  Pipe pipe;
  std::string text;
  std::thread reader([&] { text = pipe.read_to_end(); });
  std::string expected;
  {
    LineWriter writer(pipe.writing_end(), 1U << 20U, gap_line);
    for (int i = 0; i < 10'000; ++i) {
      const std::string line = std::to_string(i) + std::string(static_cast<std::size_t>(i % 90), '.') + "\n";
      expected += line;
      writer.write(line);
      if (i == 5'000) {
        EXPECT_TRUE(writer.flush(kSoon));
      }
    }
    EXPECT_EQ(writer.dropped(), 0U);
  }
  pipe.close_writer();
  reader.join();
  EXPECT_EQ(text, expected);
}

TEST(LineWriter, DoesNotTearLinesOfTwoWhoShareAPipe) {
  Pipe pipe;
  std::string text;
  std::thread reader([&] { text = pipe.read_to_end(); });
  {
    LineWriter one(pipe.writing_end(), 4U << 20U, gap_line);
    LineWriter two(pipe.writing_end(), 4U << 20U, gap_line);
    for (int i = 0; i < 5'000; ++i) {
      one.write(std::string(99, 'a') + "\n");
      two.write(std::string(150, 'b') + "\n");
    }
    EXPECT_TRUE(one.flush(kSoon));
    EXPECT_TRUE(two.flush(kSoon));
  }
  pipe.close_writer();
  reader.join();
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = text.find('\n', begin);
    const std::string line = text.substr(begin, end - begin);
    ASSERT_TRUE(line == std::string(99, 'a') || line == std::string(150, 'b')) << line;
    begin = end + 1;
  }
}

TEST(LineWriter, DropsAndSaysSoOnceWhileTheReaderStandsStill) {
  Pipe pipe;
  pipe.fill();
  std::optional<LineWriter> writer(std::in_place, pipe.writing_end(), 100'000, gap_line);
  writer->write("first\n");
  EXPECT_FALSE(writer->flush(kAtOnce));
  int kept = 0;
  while (writer->dropped() < 7) {
    writer->write("a line of 20 bytes.\n");
    ++kept;
  }
  kept -= 7;
  // Once lines are dropped, even a very short line is dropped too.
  writer->write("\n");
  // The writing thread may hold the same amount again.
  EXPECT_LE(kept, 2 * 5'001);
  EXPECT_GE(kept, 4'900);

  std::string text;
  std::thread reader([&] { text = pipe.read_to_end(); });
  EXPECT_TRUE(writer->flush(kSoon));
  writer->write("last\n");
  writer.reset();
  pipe.close_writer();
  reader.join();
  std::string expected = "first\n";
  for (int i = 0; i < kept; ++i) expected += "a line of 20 bytes.\n";
  EXPECT_EQ(text, expected + "gap of 8\nlast\n");
}

TEST(LineWriter, TakesALineThatIsLongerThanItsBuffer) {
  Pipe pipe;
  std::string text;
  std::thread reader([&] { text = pipe.read_to_end(); });
  {
    LineWriter writer(pipe.writing_end(), 100, gap_line);
    writer.write(std::string(50'000, 'x') + "\n");
  }
  pipe.close_writer();
  reader.join();
  EXPECT_EQ(text, std::string(50'000, 'x') + "\n");
}

TEST(LineWriter, EndsThoughTheReaderStandsStill) {
  Pipe pipe;
  pipe.fill();
  {
    LineWriter writer(pipe.writing_end(), 100'000, gap_line);
    writer.write("never read\n");
  }
  // Closing the reader lets the thread that was left behind end some time later.
  pipe.close_reader();
  pipe.leave_writer_open();
}

TEST(LineWriter, WaitsForAReaderThatSharesADescriptorThatDoesNotBlock) {
  Pipe pipe;
  pipe.fill();
  ::fcntl(pipe.writing_end(), F_SETFL, O_NONBLOCK);
  std::optional<LineWriter> writer(std::in_place, pipe.writing_end(), 100'000, gap_line);
  writer->write("first\n");
  EXPECT_FALSE(writer->flush(milliseconds(50)));
  std::string text;
  std::thread reader([&] { text = pipe.read_to_end(); });
  EXPECT_TRUE(writer->flush(kSoon));
  writer.reset();
  pipe.close_writer();
  reader.join();
  EXPECT_EQ(text, "first\n");
}

TEST(LineWriter, EndsAtOnceWhereNothingCanBeWritten) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  Pipe pipe;
  pipe.close_reader();
  for (const int descriptor : {full, pipe.writing_end(), -1}) {
    LineWriter writer(descriptor, 1000, gap_line);
    for (int i = 0; i < 100; ++i) writer.write("a line of 20 bytes.\n");
    EXPECT_FALSE(writer.flush(milliseconds(10)));
    EXPECT_GT(writer.dropped(), 0U);
  }
  ::close(full);
}

}  // namespace
}  // namespace rocket
