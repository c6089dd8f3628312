#include "rocket/jobs/redis_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "rocket/base/ids.h"
#include "spec/integration/job_queues.h"
#include "spec/support/redis_server.h"

namespace rocket::spec {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

jobs::RedisOptions options_for(const std::string& url) {
  jobs::RedisOptions options;
  options.address = std::get<jobs::RedisAddress>(jobs::redis_address_of(url));
  // Long limits, so that a busy machine does not make these tests fail.
  options.connect_timeout = options.timeout = seconds(30);
  return options;
}

std::vector<std::string> ids_in(const RedisServer& redis, const std::string& queue = "default",
                                int database = 0) {
  std::vector<std::string> ids;
  for (const auto& job : redis.jobs(queue, database)) ids.push_back(job.at("jid").get<std::string>());
  return ids;
}

TEST(RedisQueue, KeepsTheOrderOfJobsAndListsTheQueue) {
  RedisServer redis;
  jobs::RedisOptions options = options_for(redis.url() + "/3");
  options.queue = "mail";
  jobs::RedisQueue queue(options);
  const auto first = receipts(3);
  const auto second = receipts(2);
  queue.push(first);
  queue.push(second);

  auto ids = ids_of(first);
  for (const std::string& id : ids_of(second)) ids.push_back(id);
  EXPECT_EQ(ids_in(redis, "mail", 3), ids);
  EXPECT_EQ(redis.jobs("mail", 3).at(1).at("args"), nlohmann::json::parse(R"([{"ride_id": 1}])"));
  EXPECT_EQ(redis.ask({"EXISTS", "queues"}), "0") << "in the wrong database";
  EXPECT_EQ(redis.ask({"EVAL", "redis.call('SELECT', 3) return redis.call('SMEMBERS', 'queues')", "0"}),
            "mail\n");
}

TEST(RedisQueue, ListsTheQueueAgainAfterSomebodyClearedIt) {
  RedisServer redis;
  jobs::RedisQueue queue(options_for(redis.url()));
  queue.push(receipts(1));
  redis.ask({"FLUSHALL"});
  queue.push(receipts(1));
  EXPECT_EQ(redis.ask({"SMEMBERS", "queues"}), "default\n");
}

TEST(RedisQueue, PushesMoreThanOneCommandHolds) {
  RedisServer redis;
  auto large = receipts(5);
  for (auto& job : large) job.args = R"({"note": ")" + std::string(700'000, 'x') + "\"}";
  jobs::RedisQueue(options_for(redis.url())).push(large);
  EXPECT_EQ(ids_in(redis), ids_of(large));
}

TEST(RedisQueue, LogsInWithAPassword) {
  RedisServer redis;
  redis.require_password("ses:@me");
  jobs::RedisQueue(options_for(redis.url(":ses%3A%40me@"))).push(receipts(1));
  EXPECT_EQ(redis.jobs().size(), 1U);

  jobs::RedisQueue stranger(options_for(redis.url()));
  EXPECT_THAT(failure_of(stranger), HasSubstr("NOAUTH"));
  jobs::RedisQueue impostor(options_for(redis.url(":open@")));
  EXPECT_THAT(failure_of(impostor), AllOf(HasSubstr("WRONGPASS"), Not(HasSubstr("open"))));
  EXPECT_EQ(redis.jobs().size(), 1U);
}

TEST(RedisQueue, NeedsNoMoreRightsThanItsDocumentationSays) {
  RedisServer redis;
  redis.ask({"ACL", "SETUSER", "rides", "on", ">sesame", "~queues", "~queue:*", "+auth", "+select", "+sadd",
             "+lpush"});
  jobs::RedisQueue(options_for(redis.url("rides:sesame@") + "/1")).push(receipts(1));
  EXPECT_EQ(redis.jobs("default", 1).size(), 1U);

  redis.ask({"ACL", "SETUSER", "rides", "-lpush"});
  jobs::RedisQueue queue(options_for(redis.url("rides:sesame@") + "/1"));
  EXPECT_THAT(failure_of(queue), HasSubstr("NOPERM"));
}

TEST(RedisQueue, DoesNotRepeatAPasswordThatTheServerQuotes) {
  RedisServer redis;
  // Sends an unknown command in place of AUTH, as if the server did not know AUTH.
  jobs::RedisCommands commands;
  commands.add({"OUTH", "sesame"});
  jobs::RedisConnection connection(options_for(redis.url()).address, "",
                                   std::chrono::steady_clock::now() + seconds(5));
  const auto refusals = connection.exchange(commands, std::chrono::steady_clock::now() + seconds(5));
  EXPECT_THAT(refusals.at(0).value_or(""), AllOf(HasSubstr("unknown command"), Not(HasSubstr("sesame"))));
}

TEST(RedisQueue, SaysWhyRedisRefusesAndGoesOnOnceItDoesNot) {
  RedisServer redis;
  jobs::RedisQueue queue(options_for(redis.url()));
  queue.push(receipts(1));

  redis.ask({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_THAT(failure_of(queue), AllOf(HasSubstr(redis.url()), HasSubstr("OOM")));
  EXPECT_THAT(failure_of(queue), HasSubstr("OOM")) << "with a new connection";
  redis.ask({"CONFIG", "SET", "maxmemory", "0"});
  queue.push(receipts(1));

  redis.ask({"REPLICAOF", "127.0.0.1", "1"});
  EXPECT_THAT(failure_of(queue), HasSubstr("READONLY"));
  redis.ask({"REPLICAOF", "NO", "ONE"});
  queue.push(receipts(1));

  redis.ask({"RENAME", "queue:default", "elsewhere"});
  redis.ask({"SET", "queue:default", "no list"});
  EXPECT_THAT(failure_of(queue), HasSubstr("WRONGTYPE"));
  redis.ask({"RENAME", "elsewhere", "queue:default"});
  queue.push(receipts(1));
  EXPECT_EQ(redis.jobs().size(), 4U);
}

TEST(RedisQueue, DoesNotPushTheSameAgainWhereOnlyTheListingFails) {
  RedisServer redis;
  jobs::RedisQueue queue(options_for(redis.url()));
  queue.push(receipts(1));
  redis.ask({"SET", "queues", "no set"});
  EXPECT_NO_THROW(queue.push(receipts(1))) << "Redis has that job";
  EXPECT_THAT(failure_of(queue), HasSubstr("WRONGTYPE"));
  EXPECT_EQ(redis.jobs().size(), 2U);
}

TEST(RedisQueue, ConnectsAnewAfterRedisWasAway) {
  RedisServer redis;
  jobs::RedisQueue queue(options_for(redis.url()));
  const auto first = receipts(1);
  queue.push(first);
  redis.kill();
  EXPECT_THAT(failure_of(queue), HasSubstr("Connection refused"));
  redis.start();
  const auto second = receipts(1);
  queue.push(second);
  EXPECT_EQ(ids_in(redis), (std::vector{first[0].id, second[0].id}));
}

TEST(RedisQueue, NoticesAConnectionThatEndedWhileItWasIdle) {
  RedisServer redis;
  jobs::RedisQueue queue(options_for(redis.url()));
  queue.push(receipts(1));
  redis.ask({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_NO_THROW(queue.push(receipts(1)));
  redis.kill();
  redis.start();
  EXPECT_NO_THROW(queue.push(receipts(1)));
  EXPECT_EQ(redis.jobs().size(), 3U);
}

TEST(RedisQueue, DoesNotWaitForeverForAServerThatSaysNothing) {
  RedisServer redis;
  jobs::RedisOptions options = options_for(redis.url());
  // Enough for a busy machine.
  options.timeout = milliseconds(1500);
  jobs::RedisQueue connected(options);
  connected.push(receipts(1));
  options.connect_timeout = milliseconds(100);
  jobs::RedisQueue unconnected(options);
  redis.pause();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(failure_of(connected), HasSubstr("no answer in time"));
  EXPECT_THAT(failure_of(unconnected), HasSubstr("no answer in time"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(15));
  redis.resume();
  EXPECT_NO_THROW(jobs::RedisQueue(options_for(redis.url())).push(receipts(1)));
}

TEST(RedisQueue, OverTlsTrustsOnlyWhomItIsToldTo) {
  const std::string folder = testing::TempDir() + "redis-tls-" + random_uuid();
  std::filesystem::create_directory(folder);
  const std::string make =
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "
      "subjectAltName=DNS:localhost -keyout " +
      folder + "/key.pem -out " + folder + "/certificate.pem 2>/dev/null";
  ASSERT_EQ(std::system(make.c_str()), 0);  // NOLINT(concurrency-mt-unsafe)
  {
    RedisServer redis(folder);
    redis.require_password("sesame");
    jobs::RedisOptions options = options_for(redis.url(":sesame@"));
    jobs::RedisQueue distrustful(options);
    EXPECT_THAT(failure_of(distrustful), HasSubstr("certificate verify failed"));
    options.ca_file = folder + "/certificate.pem";
    jobs::RedisQueue queue(options);
    queue.push(receipts(2));
    queue.push(receipts(2000));
    EXPECT_EQ(redis.jobs().size(), 2002U);

    options.address.server.host = "127.0.0.1";
    jobs::RedisQueue misled(options);
    EXPECT_THAT(failure_of(misled), HasSubstr("certificate verify failed")) << "another's certificate";
    options.address.server.tls = false;
    jobs::RedisQueue open(options);
    EXPECT_THAT(failure_of(open), Not(HasSubstr("did not fail")));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace rocket::spec
