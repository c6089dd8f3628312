#include "rocket/base/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>

namespace rocket {
namespace {

std::string lines_of(const std::string& format, const std::string& level,
                     const std::function<void(const Log&)>& write) {
  testing::internal::CaptureStdout();
  {
    LogOptions options;
    options.format = format;
    options.level = level;
    const Log log("tool", options);
    write(log);
  }
  return testing::internal::GetCapturedStdout();
}

TEST(Log, WritesTimeLevelProcessEventAndFields) {
  const std::string line = lines_of("text", "info", [](const Log& log) {
    log.warn("key released", {{"attempt", 3}, {"point", "started"}, {"error", "two words"}, {"empty", ""}});
  });
  const std::regex shape(
      R"(^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warn\w* +tool: key released attempt=3 point=started error="two words" empty=""\n$)");
  EXPECT_TRUE(std::regex_match(line, shape)) << line;
}

std::string after_the_process(const std::string& line) { return line.substr(line.find("tool: ") + 6); }

TEST(Log, WritesASentenceForPeopleWithTheRestOfTheFieldsBehindIt) {
  const auto said = [](std::string_view sentence, Log::Fields fields) {
    return after_the_process(
        lines_of("text", "info", [&](const Log& log) { log.info("an event", fields, sentence); }));
  };
  EXPECT_EQ(said("{user} asked: {status} in {duration_ms} ms",
                 {{"status", 201}, {"duration_ms", 343.549}, {"user", "two words"}, {"number", 7}}),
            "two words asked: 201 in 343.5 ms number=7\n");
  EXPECT_EQ(said("{status} and {status}, {nothing}", {{"status", 201}}), "201 and 201, \n");
  EXPECT_EQ(said("", {{"duration_ms", 0.04}, {"p99_ms", 12.96}}), "an event duration_ms=0.0 p99_ms=13.0\n");
  // A line break in a value cannot begin a new log line.
  EXPECT_EQ(said("{value}", {{"value", "a\nb"}}), "\"a\\nb\"\n");
}

TEST(Log, WritesJson) {
  const std::string line = lines_of("json", "info", [](const Log& log) {
    log.error("key released", {{"attempt", 3}, {"duration_ms", 1.5}, {"error", "a \"b\"\\ c"}},
              "released at attempt {attempt}");
  });
  EXPECT_NE(line.find("\"duration_ms\":1.500000,"), std::string::npos) << line;
  const auto parsed = nlohmann::json::parse(line);
  EXPECT_EQ(parsed.at("process"), "tool");
  EXPECT_EQ(parsed.at("event"), "key released");
  EXPECT_EQ(parsed.at("attempt"), 3);
  EXPECT_DOUBLE_EQ(parsed.at("duration_ms").get<double>(), 1.5);
  EXPECT_EQ(parsed.at("error"), "a \"b\"\\ c");
  EXPECT_TRUE(parsed.at("level").is_string());
  EXPECT_TRUE(parsed.at("time").is_string());
}

TEST(Log, OneEventIsOneLineWhateverAStrangerWrites) {
  for (const char* odd : {"a\nb", "a\r\nb", "\x1b[31m", "\xff\xfe", "\xc3", "\"", "\\", "{}", "%v", "a=b"}) {
    for (const char* format : {"text", "json"}) {
      const std::string line = lines_of(format, "info", [&](const Log& log) {
        log.info("event", {{"value", odd}, {"other", odd}}, "with {value} in it");
      });
      EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << format << ": " << line;
      EXPECT_TRUE(std::none_of(line.begin(), line.end() - 1,
                               [](char c) {
                                 const auto byte = static_cast<unsigned char>(c);
                                 return byte < 0x20 || byte == 0x7f;
                               }))
          << format << ": " << line;
      // The line is valid UTF-8, because dump() throws otherwise.
      EXPECT_NO_THROW(static_cast<void>(nlohmann::json(line).dump())) << format;
      if (std::string(format) == "json") {
        EXPECT_FALSE(nlohmann::json::parse(line, nullptr, false).is_discarded()) << line;
      }
    }
  }
}

TEST(Log, LeavesOutWhatIsNotImportantEnough) {
  const auto write = [](const Log& log) {
    log.info("one");
    log.warn("two");
    log.error("three");
  };
  const std::string all = lines_of("text", "info", write);
  EXPECT_NE(all.find("one"), std::string::npos);
  const std::string some = lines_of("text", "warn", write);
  EXPECT_EQ(some.find("one"), std::string::npos);
  EXPECT_NE(some.find("two"), std::string::npos);
  const std::string few = lines_of("text", "error", write);
  EXPECT_EQ(few.find("two"), std::string::npos);
  EXPECT_NE(few.find("three"), std::string::npos);
}

TEST(Log, SaysWhetherInfoIsShown) {
  LogOptions options;
  EXPECT_TRUE(Log("tool", options).shows_info());
  options.level = "warn";
  EXPECT_FALSE(Log("tool", options).shows_info());
  EXPECT_FALSE(Log().shows_info());
}

TEST(Log, ASilentOneWritesNothing) {
  testing::internal::CaptureStdout();
  Log().error("event");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace rocket
