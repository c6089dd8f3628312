#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "spec/fault/effects.h"
#include "spec/fault/private_cluster.h"
#include "spec/fault/traffic.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"
#include "spec/support/time_limits.h"

// The disk of the database is full (SQLSTATE 53100).
namespace rocket::spec {
namespace {

// A disk that looks full to a server when a test wants it; see full_disk/full_disk.cc.
class Disk {
 public:
  // The files whose path contains `part` are on this disk.
  explicit Disk(std::string part) : part_(std::move(part)) {
    std::string made = (std::filesystem::temp_directory_path() / "rocket_disk_XXXXXX").string();
    if (::mkdtemp(made.data()) == nullptr) throw std::runtime_error("cannot make " + made);
    directory_ = made;
    // Copies the library, because the server may run as another user, who may not read the build folder.
    using std::filesystem::perms;
    std::filesystem::permissions(directory_, perms::owner_all | perms::group_exec | perms::others_exec |
                                                 perms::group_read | perms::others_read);
    std::filesystem::copy_file(SPEC_FULL_DISK, directory_ / "full_disk.so");
  }
  ~Disk() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  Environment environment() const {
    return {{"LD_PRELOAD", (directory_ / "full_disk.so").string()},
            {"FULL_DISK", sign().string()},
            {"FULL_DISK_PART", part_}};
  }
  void fill() const { std::ofstream file(sign()); }
  void make_room() const { std::filesystem::remove(sign()); }

 private:
  std::filesystem::path sign() const { return directory_ / "full"; }

  std::string part_;
  std::filesystem::path directory_;
};

bool is_refused(const ClientResponse& answer) {
  return answer.status == 503 && answer.code() == "database_unavailable" &&
         !answer.header("retry-after").empty();
}

// The disk may become full after a charge was made. Nobody retries the probes' requests, so a completer
// finishes them.
void expect_one_effect_in_the_end(const PrivateCluster& cluster, const Ledger& ledger) {
  const ChildProcess completer("completer", {kDefaultDatabaseTimeout,
                                             {"DATABASE_URL", cluster.url()},
                                             {"MOCK_LEDGER", ledger.path()},
                                             {"COMPLETER_GRACE_S", "0"},
                                             {"COMPLETER_PAUSE_S", "0"},
                                             {"COMPLETER_IDLE_MS", "50"}});
  SqlSession session(cluster.url());
  EXPECT_TRUE(eventually([&] {
    return session.number("SELECT count(*) FROM idempotency_keys WHERE finished_at IS NULL") == 0;
  })) << completer.output();
  expect_one_effect_per_key(session, ledger, session.number("SELECT count(*) FROM idempotency_keys"));
}

TEST(FullDisk, OfTablesRefusesWritesUntilThereIsRoom) {
  const Disk disk("/data/base/");
  PrivateCluster cluster({}, disk.environment());
  Ledger ledger;
  ApiProcess api(cluster.url(), {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger.path()}});
  const ClientResponse first = api.send(ride_request(new_key()));
  ASSERT_EQ(first.status, 201);
  Traffic traffic({api.port()}, 8);
  ASSERT_TRUE(eventually([&] { return traffic.done() > 100; }));

  expect_in_time([&] {
    traffic.take_slowest_attempt();
    disk.fill();
    // Existing pages still have room for some rows.
    EXPECT_TRUE(eventually([&] { return is_refused(api.send(ride_request(new_key()))); }));
    EXPECT_NO_THROW(api.process().wait_for_line("sqlstate=53100"));
    EXPECT_EQ(api.send(get_request("/rides/1")).status, 200) << "reading needs no room";
    EXPECT_TRUE(traffic.feels_it());
    disk.make_room();
    return felt_by(traffic, 8);
  });
  traffic.end();
  EXPECT_LT(traffic.slowest_attempt(), kAnswersWithin);
  SqlSession session(cluster.url());
  expect_same_bytes(session, traffic.rides());
  EXPECT_EQ(session.number("SELECT count(*) FROM idempotency_keys WHERE lease IS NOT NULL"), 0);
  expect_one_effect_in_the_end(cluster, ledger);
}

// The server stops in the middle of commits, and cannot start again before there is room.
TEST(FullDisk, OfTheLogEndsTheServerAndLosesNothing) {
  const Disk disk("/data/pg_wal/");
  PrivateCluster cluster({}, disk.environment());
  Ledger ledger;
  ApiProcess api(cluster.url(), {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger.path()}});
  Traffic traffic({api.port()}, 8);
  ASSERT_TRUE(eventually([&] { return traffic.done() > 100; }));

  expect_in_time([&] {
    traffic.take_slowest_attempt();
    disk.fill();
    EXPECT_ANY_THROW({
      SqlSession session(cluster.url());
      while (true) session.value("SELECT pg_switch_wal()");
    }) << "there should be no next file";
    const auto until_refused = time_of(
        [&] { EXPECT_TRUE(eventually([&] { return is_refused(api.send(ride_request(new_key()))); })); });
    EXPECT_TRUE(traffic.feels_it());
    disk.make_room();
    cluster.start();
    Felt felt = felt_by(traffic, 8);
    felt.slowest_answer = std::max(felt.slowest_answer, until_refused);
    return felt;
  });
  traffic.end();
  EXPECT_LT(traffic.slowest_attempt(), kAnswersWithin);
  SqlSession session(cluster.url());
  expect_same_bytes(session, traffic.rides());
  EXPECT_EQ(session.number("SELECT count(*) FROM idempotency_keys WHERE lease IS NOT NULL"), 0);
  expect_one_effect_in_the_end(cluster, ledger);
}

}  // namespace
}  // namespace rocket::spec
