#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "rocket/base/ids.h"
#include "spec/support/child_process.h"
#include "spec/support/paths.h"

// The common functions of the scripts in bin/: bin/support/lib.sh.
namespace rocket::spec {
namespace {

// Uses a folder in place of a checkout.
class Scripts : public testing::Test {
 protected:
  Scripts() : folder_(std::filesystem::path(testing::TempDir()) / ("rocket_scripts_" + random_uuid())) {
    std::filesystem::create_directory(folder_);
  }
  ~Scripts() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    std::filesystem::permissions(folder_ / name, std::filesystem::perms::owner_all);
  }
  // Runs the commands with the functions of lib.sh, and returns their output.
  std::string run(const std::string& commands, const Environment& environment = {}) const {
    const std::string whole = "set -euo pipefail; . '" + source_dir() + "/bin/support/lib.sh'; root='" +
                              folder_.string() + "'; " + commands;
    const Finished finished = run_to_end("/bin/bash", environment, {"-c", whole});
    EXPECT_EQ(finished.exit.code, 0) << commands << ": " << finished.output;
    return finished.output;
  }

  const std::filesystem::path folder_;
};

TEST_F(Scripts, ReadTheEnvironmentFileAsForemanDoes) {
  write(".env",
        "A=plain\n"
        "B=\"double\"\r\n"
        "C='single'\n"
        "D=\"a\\\"b\\\\c\\nd\"\n"
        "E='a\\n\"b'\n"
        "F=\n"
        "G=first\nG=second\n"
        " H=indented\n"
        "#I=comment\n"
        "J=a=b c\n"
        "K=\"half\n"
        "L='\n"
        "M=\"\"\n"
        "N='it''s'\n"
        "export O=1\n"
        "P=\"it's\" # no comment\n"
        "Q=$A ${A}\n"
        "R=last");
  const std::string each = "for name in A B C D E F G H I J K L M N O P Q R; do ";
  const std::string print_each = R"sh(printf "%s=[%s]\n" "$name" "$(printenv $name)"; done)sh";
  const Finished foreman = run_to_end(
      "/bin/sh", {},
      {"-c", "cd '" + folder_.string() + "' && foreman run -e .env sh -c '" + each + print_each + "'"});
  EXPECT_EQ(foreman.exit.code, 0);
  EXPECT_NE(foreman.output.find("B=[double]\n"), std::string::npos) << foreman.output;
  EXPECT_EQ(run(each + R"sh(printf '%s=[%s]\n' "$name" "$(setting "$name")"; done)sh"), foreman.output);
  // It comes before the environment, empty or not.
  EXPECT_EQ(run("setting A; setting F; setting H", {{"A", "x"}, {"F", "x"}, {"H", "x"}}), "plain\n\nx\n");
}

TEST_F(Scripts, TellAPersonsDatabaseFromTheirOwn) {
  const std::string own =
      "postgresql://postgres@%2Ftmp%2Frocket-rides-1000-0123456789abcdef:5432/rocket_rides";
  const auto given = [&](const std::string& in_file, const std::string& in_environment) {
    write(".env", in_file);
    return run("given_database", {{"DATABASE_URL", in_environment}});
  };
  EXPECT_EQ(given("DATABASE_URL=" + own, ""), "\n");
  EXPECT_EQ(given("DATABASE_URL=" + own, "postgresql:///mine"), "postgresql:///mine\n");
  EXPECT_EQ(given("DATABASE_URL='postgresql:///written'", "postgresql:///mine"), "postgresql:///written\n");
  EXPECT_EQ(given("DATABASE_URL=", "postgresql:///mine"), "postgresql:///mine\n");
  EXPECT_EQ(given("", ""), "\n");
}

TEST_F(Scripts, GiveAProcessItsRoleOnlyInTheirOwnDatabase) {
  const std::string place = "%2Ftmp%2Frocket-rides-1000-0123456789abcdef:5432/rocket_rides";
  const std::string own = "postgresql://postgres@" + place;
  write("api", "#!/bin/sh\nprintf '%s|%s|%s' \"$DATABASE_URL\" \"$API_DATABASE_URL\" \"$1\"\n");
  const auto given = [&](const Environment& environment) {
    return run_to_end(source_dir() + "/bin/support/as-role", environment,
                      {(folder_ / "api").string(), "--flag"})
        .output;
  };
  EXPECT_EQ(given({{"DATABASE_URL", own}}), own + "|postgresql://rocket_api@" + place + "|--flag");
  // What a person gave is left alone, also where bin/setup had made a database before.
  EXPECT_EQ(given({{"DATABASE_URL", "postgresql://postgres@db/mine"}}),
            "postgresql://postgres@db/mine||--flag");
  EXPECT_EQ(given({{"DATABASE_URL", own}, {"API_DATABASE_URL", "postgresql://me@db/mine"}}),
            own + "|postgresql://me@db/mine|--flag");
  EXPECT_EQ(given({}), "||--flag");
}

TEST_F(Scripts, WantNoTwoDatabases) {
  const std::string check = "(expect_no_own_urls) || echo refused";
  EXPECT_EQ(run(check), "");
  EXPECT_EQ(run(check, {{"DATABASE_URL", "postgresql://owner@db/rides"}}), "");
  const std::string refused = run(check, {{"REAPER_DATABASE_URL", "postgresql://reaper@db/rides"}});
  EXPECT_NE(refused.find("REAPER_DATABASE_URL is set, but DATABASE_URL is not"), std::string::npos)
      << refused;
  EXPECT_NE(refused.find("refused"), std::string::npos) << refused;
  write(".env", "API_DATABASE_URL=postgresql://api@db/rides\n");
  EXPECT_NE(run(check).find("API_DATABASE_URL is set"), std::string::npos);
}

TEST_F(Scripts, ShowNoPasswordOfADatabaseToOthers) {
  struct Case {
    std::string url;
    std::string shown;
    std::string password;
  };
  write("psql",
        "#!/bin/sh\nwhile [ \"$1\" != -d ]; do shift; done\nprintf '%s|%s|%s' \"$2\" \"$3\" "
        "\"$PGPASSWORD\"\n");
  for (const Case& each : std::vector<Case>{
           {"postgresql://rides:sesame@db:5432/rides?sslmode=require",
            "postgresql://rides@db:5432/rides?sslmode=require", "sesame"},
           {"postgres://rides:%73es%5Came%26@db/rides", "postgres://rides@db/rides", "ses\\ame&"},
           {"postgresql://db/rides?password=ses%61me&user=rides", "postgresql://db/rides?user=rides",
            "sesame"},
           {"postgresql://db/rides?user=rides&password=sesame", "postgresql://db/rides?user=rides", "sesame"},
           {"postgresql://rides@db/rides", "postgresql://rides@db/rides", "of-the-environment"},
           {"postgresql:///rides?host=/tmp", "postgresql:///rides?host=/tmp", "of-the-environment"},
           {"host=db password=sesame dbname=rides", "host=db   dbname=rides", "sesame"},
           {R"(password = 'ses\'a me' host=db)", "  host=db", "ses'a me"},
           {"dbname=rides host=db", "dbname=rides host=db", "of-the-environment"}}) {
    const std::string printed = run("psql=$root/psql; run_psql \"$URL\" option",
                                    {{"URL", each.url}, {"PGPASSWORD", "of-the-environment"}});
    EXPECT_EQ(printed, each.shown + "|option|" + each.password) << each.url;
  }
}

TEST_F(Scripts, LetOneAtATimeWork) {
  const ChildProcess first("/bin/bash", {},
                           {"-c", ". '" + source_dir() + "/bin/support/lib.sh'; root='" + folder_.string() +
                                      "'; only_one spec; echo working; exec sleep 60"});
  first.wait_for_line("working");
  EXPECT_EQ(run("only_one spec || echo taken"), "taken\n");
  const ChildProcess waiting("/bin/bash", {},
                             {"-c", ". '" + source_dir() + "/bin/support/lib.sh'; root='" + folder_.string() +
                                        "'; only_one spec 'somebody is at work'; echo mine"});
  waiting.wait_for_line("somebody is at work");
  first.kill(SIGKILL);
  waiting.wait_for_line("mine");
}

}  // namespace
}  // namespace rocket::spec
