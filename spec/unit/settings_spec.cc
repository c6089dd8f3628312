#include "rocket/base/settings.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace rocket {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A process with one setting of each kind.
class SettingsSpec : public testing::Test {
 protected:
  SettingsSpec() {
    settings_.add("port", {"SPEC_PORT", "SPEC_OTHER_PORT"}, "", "port to listen on", port_, 0, 65535);
    settings_.add("pause", {"SPEC_PAUSE_S"}, "time between runs", pause_, seconds(1), seconds(60));
    settings_.add("timeout", {"SPEC_TIMEOUT_MS"}, "time for an answer", timeout_, milliseconds(100),
                  milliseconds(5000));
    settings_.add("rate", {"SPEC_RATE"}, "requests/s", "requests per second", rate_, 0.5, 100);
    settings_.add("format", {"SPEC_FORMAT"}, "how a line is written", format_, {"text", "json"});
    settings_.add("name", {"SPEC_NAME"}, "a name", name_);
    settings_.add("verbose", {"SPEC_VERBOSE"}, "says more", verbose_);
    settings_.add_secret({"SPEC_SECRET_URL"}, "where the database is", secret_);
  }
  ~SettingsSpec() override {
    for (const std::string& name : set_) ::unsetenv(name.c_str());
  }

  void set(const std::string& variable, const std::string& value) {
    ::setenv(variable.c_str(), value.c_str(), 1);
    set_.push_back(variable);
  }

  std::optional<int> read(std::vector<const char*> flags) {
    flags.insert(flags.begin(), "tool");
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const auto status = settings_.read(static_cast<int>(flags.size()), flags.data());
    output_ = testing::internal::GetCapturedStdout();
    complaints_ = testing::internal::GetCapturedStderr();
    return status;
  }

  bool complains_of(const std::string& text) const { return complaints_.find(text) != std::string::npos; }

  Settings settings_{"tool", "does something"};
  std::int64_t port_ = 5000;
  seconds pause_{5};
  milliseconds timeout_{1500};
  double rate_ = 1;
  std::string format_ = "text";
  std::string name_ = "nobody";
  bool verbose_ = false;
  std::string secret_;
  std::string output_;
  std::string complaints_;

 private:
  std::vector<std::string> set_;
};

TEST_F(SettingsSpec, KeepDefaultsWhenNothingIsSaid) {
  EXPECT_EQ(read({}), std::nullopt);
  EXPECT_EQ(port_, 5000);
  EXPECT_EQ(name_, "nobody");
  EXPECT_EQ(complaints_, "");
}

TEST_F(SettingsSpec, ComeFromTheEnvironment) {
  set("SPEC_PORT", "1");
  set("SPEC_PAUSE_S", "2");
  set("SPEC_TIMEOUT_MS", "300");
  set("SPEC_RATE", "4.5");
  set("SPEC_FORMAT", "json");
  set("SPEC_NAME", "somebody, else");
  set("SPEC_VERBOSE", "on");
  set("SPEC_SECRET_URL", "postgresql://user:password@host/db");
  EXPECT_EQ(read({}), std::nullopt) << complaints_;
  EXPECT_EQ(port_, 1);
  EXPECT_EQ(pause_, seconds(2));
  EXPECT_EQ(timeout_, milliseconds(300));
  EXPECT_DOUBLE_EQ(rate_, 4.5);
  EXPECT_EQ(format_, "json");
  EXPECT_EQ(name_, "somebody, else");
  EXPECT_TRUE(verbose_);
  EXPECT_EQ(secret_, "postgresql://user:password@host/db");
}

TEST_F(SettingsSpec, FlagsOverrideTheEnvironment) {
  set("SPEC_PORT", "1");
  set("SPEC_VERBOSE", "off");
  set("SPEC_NAME", "other");
  EXPECT_EQ(read({"--port=2", "--name", "a,b", "--verbose"}), std::nullopt) << complaints_;
  EXPECT_EQ(port_, 2);
  EXPECT_EQ(name_, "a,b");
  EXPECT_TRUE(verbose_);
}

TEST_F(SettingsSpec, AFlagHidesAMistakeInItsVariable) {
  set("SPEC_PORT", "harbour");
  EXPECT_EQ(read({"--port=2"}), std::nullopt) << complaints_;
  EXPECT_EQ(port_, 2);
}

TEST_F(SettingsSpec, TheFirstVariableWins) {
  set("SPEC_OTHER_PORT", "2");
  EXPECT_EQ(read({}), std::nullopt);
  EXPECT_EQ(port_, 2);
  set("SPEC_PORT", "1");
  EXPECT_EQ(read({}), std::nullopt);
  EXPECT_EQ(port_, 1);
}

TEST_F(SettingsSpec, AnEmptyVariableCountsAsUnset) {
  set("SPEC_PORT", "");
  set("SPEC_OTHER_PORT", "2");
  set("SPEC_FORMAT", "");
  EXPECT_EQ(read({}), std::nullopt) << complaints_;
  EXPECT_EQ(port_, 2);
  EXPECT_EQ(format_, "text");
}

TEST_F(SettingsSpec, ReportAllMistakesAtOnce) {
  set("SPEC_PORT", "65536");
  set("SPEC_RATE", "fast");
  set("SPEC_VERBOSE", "perhaps");
  settings_.require([] { return std::optional<std::string>("TWO_THINGS contradict each other"); });
  EXPECT_EQ(read({"--pause=0", "--timeout=1.5", "--format=xml", "--colour=red"}), 2);
  for (const char* part : {"SPEC_PORT", "between 0 and 65535", "SPEC_RATE", "SPEC_VERBOSE", "--pause",
                           "--timeout", "--format", "text, json", "--colour", "TWO_THINGS"}) {
    EXPECT_TRUE(complains_of(part)) << part << " is not in: " << complaints_;
  }
  EXPECT_EQ(output_, "");
}

TEST_F(SettingsSpec, RefuseWhatIsNoNumber) {
  for (const char* text : {"--port=", "--port=1x", "--port=0x10", "--port=1_0", "--port= 1", "--port=1.0",
                           "--port=-1", "--port=99999999999999999999", "--rate=nan", "--rate=inf",
                           "--rate=0.4", "--rate=1e9", "--rate=1x", "--pause=61", "--timeout=99"}) {
    EXPECT_EQ(read({text}), 2) << text;
  }
}

TEST_F(SettingsSpec, RefuseAFlagGivenTwice) {
  EXPECT_EQ(read({"--port=1", "--port=2"}), 2);
  EXPECT_TRUE(complains_of("--port")) << complaints_;
}

TEST_F(SettingsSpec, RefuseWhatTheyDoNotKnow) {
  EXPECT_EQ(read({"--colour"}), 2);
  EXPECT_TRUE(complains_of("--colour")) << complaints_;
  EXPECT_EQ(read({"stray"}), 2);
  EXPECT_TRUE(complains_of("stray")) << complaints_;
}

TEST_F(SettingsSpec, RefuseAFlagWithoutItsValue) {
  EXPECT_EQ(read({"--port"}), 2);
  EXPECT_TRUE(complains_of("port")) << complaints_;
}

TEST_F(SettingsSpec, TakeNoSecretsFromTheCommandLine) {
  EXPECT_EQ(read({"--spec-secret-url=x"}), 2);
  EXPECT_EQ(secret_, "");
}

TEST_F(SettingsSpec, DoNotRepeatASecretInTheirComplaints) {
  set("SPEC_SECRET_URL", "hunter2");
  settings_.require([] { return std::optional<std::string>("SPEC_SECRET_URL is no URL"); });
  EXPECT_EQ(read({}), 2);
  EXPECT_FALSE(complains_of("hunter2"));
  EXPECT_EQ(read({"--help"}), 0);
  EXPECT_EQ(output_.find("hunter2"), std::string::npos);
}

TEST_F(SettingsSpec, HelpListsFlagsVariablesUnitsAndDefaults) {
  EXPECT_EQ(read({"--help"}), 0);
  for (const char* part :
       {"does something", "--port", "SPEC_PORT", "SPEC_OTHER_PORT", "default 5000", "--pause", "SPEC_PAUSE_S",
        "[s], default 5", "[ms], default 1500", "[requests/s], default 1", "[text|json], default text",
        "[on|off], default off", "SPEC_SECRET_URL", "--version"}) {
    EXPECT_NE(output_.find(part), std::string::npos) << part << " is not in: " << output_;
  }
}

TEST_F(SettingsSpec, HelpComesBeforeMistakes) {
  set("SPEC_PORT", "harbour");
  EXPECT_EQ(read({"--help"}), 0);
  EXPECT_EQ(complaints_, "");
}

TEST_F(SettingsSpec, SayTheirVersion) {
  EXPECT_EQ(read({"--version"}), 0);
  EXPECT_EQ(output_, std::string("tool ") + ROCKET_VERSION + "\n");
}

TEST_F(SettingsSpec, ChecksSeeTheFinalValues) {
  std::int64_t seen = 0;
  settings_.require([&]() -> std::optional<std::string> {
    seen = port_;
    return std::nullopt;
  });
  EXPECT_EQ(read({"--port=7"}), std::nullopt);
  EXPECT_EQ(seen, 7);
}

// Kubernetes sets such a variable in a pod if a service has the matching name.
TEST_F(SettingsSpec, PassesOverWhatKubernetesSetsForAService) {
  for (const char* scheme : {"tcp", "udp", "sctp"}) {
    set("SPEC_PORT", std::string(scheme) + "://10.96.0.1:80");
    set("SPEC_OTHER_PORT", "6000");
    EXPECT_EQ(read({}), std::nullopt) << complaints_;
    EXPECT_EQ(port_, 6000);
    EXPECT_TRUE(complains_of("SPEC_PORT is ignored")) << complaints_;
    EXPECT_FALSE(complains_of("SPEC_OTHER_PORT"));
  }
  set("SPEC_OTHER_PORT", "tcp://[fd00::1]:80");
  port_ = 5000;
  EXPECT_EQ(read({}), std::nullopt) << complaints_;
  EXPECT_EQ(port_, 5000);
  // Only a port setting ignores such a value.
  set("SPEC_NAME", "tcp://10.96.0.1:80");
  EXPECT_EQ(read({}), std::nullopt);
  EXPECT_EQ(name_, "tcp://10.96.0.1:80");
  set("SPEC_PORT", "http://10.96.0.1:80");
  EXPECT_EQ(read({}), 2);
}

}  // namespace
}  // namespace rocket
