#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "rocket/base/ids.h"
#include "rocket/jobs/rabbitmq_queue.h"
#include "spec/integration/job_queues.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/rabbitmq_server.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// RabbitMQ takes seconds to start, so all tests share one server, and ctest runs them in one process. Each
// test has its own queue.
class RabbitMq : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    tls_folder_ = testing::TempDir() + "rabbitmq-tls-" + random_uuid();
    std::filesystem::create_directory(tls_folder_);
    const std::string make =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost -keyout " +
        tls_folder_ + "/key.pem -out " + tls_folder_ + "/certificate.pem 2>/dev/null";
    ASSERT_EQ(std::system(make.c_str()), 0);  // NOLINT(concurrency-mt-unsafe)
    server_ = std::make_unique<RabbitMqServer>(tls_folder_);
  }
  static void TearDownTestSuite() {
    server_.reset();
    std::filesystem::remove_all(tls_folder_);
  }

  jobs::RabbitMqOptions options(const std::string& url = server_->url()) const {
    jobs::RabbitMqOptions options;
    options.address = std::get<jobs::RabbitMqAddress>(jobs::rabbitmq_address_of(url));
    options.queue = queue_name_;
    // Long limits, so that a busy machine does not make these tests fail.
    options.connect_timeout = options.timeout = std::chrono::seconds(30);
    return options;
  }
  void create_queue() const { jobs::RabbitMqQueue(options()).create(); }
  // Creates a queue with these arguments, in Erlang's syntax.
  void create_queue(const std::string& arguments) const {
    server_->evaluate("rabbit_amqqueue:declare(rabbit_misc:r(<<\"/\">>, queue, <<\"" + queue_name_ +
                      "\">>), true, false, [" + arguments + "], none, <<\"spec\">>), ok");
  }
  std::vector<std::string> take_ids() const { return server_->take_ids(queue_name_); }
  std::size_t count() const { return server_->count(queue_name_); }
  static std::string connections() { return server_->evaluate("rabbit_networking:connections()"); }
  // Connections that were closed before vanish some time later.
  static bool has_no_connection() {
    return eventually([] { return connections() == "[]"; });
  }

  void stage(int count) { database().execute(kStageReceipts, {std::to_string(count)}); }
  Environment for_enqueuer() {
    return {{"DATABASE_URL", database().url()},
            {"JOB_QUEUE", server_->url()},
            {"JOB_QUEUE_NAME", queue_name_},
            {"ENQUEUER_IDLE_MS", "20"}};
  }

  inline static std::string tls_folder_;
  inline static std::unique_ptr<RabbitMqServer> server_;
  // Made on first use, because only some tests need a database.
  TestDatabase& database() {
    if (!database_) database_.emplace();
    return *database_;
  }

  const std::string queue_name_ = "jobs-" + random_uuid();

 private:
  std::optional<TestDatabase> database_;
};

}  // namespace rocket::spec
