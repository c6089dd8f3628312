#include "spec/support/child_process.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <csignal>
#include <stdexcept>
#include <string>

#include "spec/support/eventually.h"

// An error in a child process fails the test even if the test does not check the child.
namespace rocket::spec {
namespace {

// Runs a child and does not ask for its exit status.
void run_unobserved(const std::string& commands) {
  const ChildProcess child("/bin/sh", {}, {"-c", commands});
  EXPECT_TRUE(eventually([&] { return !child.running(); }));
}

TEST(ChildProcessSpec, FailsWhenAChildEndsBadlyByItself) {
  EXPECT_NONFATAL_FAILURE(run_unobserved("echo why; exit 3"), "/bin/sh ended by itself with status 3");
  EXPECT_NONFATAL_FAILURE(run_unobserved("kill -s TERM $$"), "ended by itself with signal 15");
}

TEST(ChildProcessSpec, FailsWhenASanitizerReports) {
  EXPECT_NONFATAL_FAILURE(run_unobserved("echo '==1==ERROR: LeakSanitizer: detected memory leaks'"),
                          "a sanitizer found something");
  EXPECT_NONFATAL_FAILURE(run_to_end("/bin/sh", {}, {"-c", "echo 'a.cc:1:2: runtime error: no'; exit 1"}),
                          "a sanitizer found something");
}

TEST(ChildProcessSpec, DoesNotMindAnEndThatSomebodyAskedFor) {
  run_unobserved("exit 0");
  EXPECT_EQ(run_to_end("/bin/sh", {}, {"-c", "exit 3"}).exit.code, 3);
  const ChildProcess silent("/bin/sh", {}, {"-c", "exit 3"});
  EXPECT_THROW(silent.wait_for_line("ready"), std::runtime_error);
  const ChildProcess killed("/bin/sleep", {}, {"60"});
  killed.kill(SIGKILL);
  EXPECT_TRUE(eventually([&] { return !killed.running(); }));
}

}  // namespace
}  // namespace rocket::spec
