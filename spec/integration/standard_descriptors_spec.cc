#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "rocket/base/ids.h"
#include "spec/support/api_process.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/paths.h"
#include "spec/support/roles.h"
#include "spec/support/test_database.h"

// Some supervisors start processes without standard input, output or error.
namespace rocket::spec {
namespace {

// A set of closed descriptors: 1 for standard input, 2 for output, 4 for error.
class StandardDescriptors : public testing::TestWithParam<std::tuple<const char*, int>> {
 protected:
  static std::string closing(int set) {
    std::string redirections;
    for (int descriptor = 0; descriptor < 3; ++descriptor) {
      if ((set >> descriptor & 1) != 0) redirections += " " + std::to_string(descriptor) + ">&-";
    }
    return redirections;
  }
  static std::string target_of(const ChildProcess& process, int descriptor) {
    std::error_code gone;
    return std::filesystem::read_symlink(
               "/proc/" + std::to_string(process.pid()) + "/fd/" + std::to_string(descriptor), gone)
        .string();
  }

  TestDatabase database_;
};

INSTANTIATE_TEST_SUITE_P(Of, StandardDescriptors,
                         testing::Combine(testing::Values("api", "completer", "enqueuer", "reaper",
                                                          "simulator"),
                                          testing::Range(1, 8)),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param)) + "_without_" +
                                  std::to_string(std::get<1>(each.param));
                         });

TEST_P(StandardDescriptors, MayBeClosed) {
  const std::string name = std::get<0>(GetParam());
  const int set = std::get<1>(GetParam());
  std::optional<ApiProcess> api;
  Environment environment{{"DATABASE_URL", database_.url()}, {"API_PORT", "0"}, {"ENQUEUER_IDLE_MS", "20"}};
  if (name == "simulator") {
    api.emplace(database_);
    environment["API_URL"] = api->url();
  }
  database_.execute("INSERT INTO staged_jobs (job_id, job_name, job_args) VALUES ($1::uuid, 'spec', '{}')",
                    {random_uuid()});
  const ChildProcess process("/bin/sh", with_role(name, environment),
                             {"-c", "exec '" + program(name) + "'" + closing(set)});
  EXPECT_TRUE(eventually([&] {
    return database_.number(
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
               "application_name = $1",
               {"rocket-rides " + name}) > 0;
  }));
  if (name == "enqueuer") {
    EXPECT_TRUE(eventually([&] { return database_.count("staged_jobs") == 0; }));
  }
  for (int descriptor = 0; descriptor < 3; ++descriptor) {
    const bool open = descriptor != 0 && (set >> descriptor & 1) == 0;
    const std::string target = target_of(process, descriptor);
    EXPECT_TRUE(open ? target.starts_with("pipe:") : target == "/dev/null") << descriptor << ": " << target;
  }
  expect_good_end(process);
}

}  // namespace
}  // namespace rocket::spec
