#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "spec/support/child_process.h"
#include "spec/support/paths.h"

// How the executables that users run are built. Heavy, because those of the sanitizers are built otherwise.
namespace rocket::spec {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class HeavyExecutable : public testing::TestWithParam<const char*> {
 protected:
  static std::string read(const char* what) {
    const Finished read =
        run_to_end("/usr/bin/readelf", {{"LC_ALL", "C"}}, {"-W", what, bin_dir() + "/" + GetParam()});
    EXPECT_EQ(read.exit.code, 0) << read.output;
    return read.output;
  }
};

INSTANTIATE_TEST_SUITE_P(Of, HeavyExecutable,
                         testing::Values("api", "completer", "enqueuer", "reaper", "simulator"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(HeavyExecutable, HasAddressesThatNobodyCanGuess) {
  EXPECT_THAT(read("-h"), HasSubstr("DYN (Position-Independent Executable"));
}

TEST_P(HeavyExecutable, HasTablesAndAStackThatNobodyCanMisuse) {
  const std::string segments = read("-l");
  EXPECT_THAT(segments, HasSubstr("GNU_RELRO"));
  EXPECT_THAT(segments, ContainsRegex("GNU_STACK.* RW  "));
  EXPECT_THAT(read("-d"), ContainsRegex("FLAGS_1.*NOW"));
}

TEST_P(HeavyExecutable, NoticesOverflows) {
  const std::string symbols = read("--dyn-syms");
  EXPECT_THAT(symbols, HasSubstr("__stack_chk_fail"));
  // FORTIFY checks the length of what is copied.
  EXPECT_THAT(symbols, ContainsRegex("__[a-z]+_chk@"));
}

#ifdef __x86_64__
// Control-flow enforcement: a jump through a pointer may only lead to this instruction, endbr64. (Debian's
// own start files have no such mark, so the kernel does not enforce it for the executable as a whole yet.)
TEST_P(HeavyExecutable, JumpsOnlyToWhereItMay) {
  std::ifstream file(bin_dir() + "/" + GetParam(), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  int marks = 0;
  for (auto at = bytes.find("\xf3\x0f\x1e\xfa"); at != std::string::npos;
       at = bytes.find("\xf3\x0f\x1e\xfa", at + 1)) {
    ++marks;
  }
  EXPECT_GT(marks, 500);
}
#endif

}  // namespace
}  // namespace rocket::spec
