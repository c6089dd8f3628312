#pragma once

#include <string>
#include <vector>

#include "spec/support/child_process.h"

namespace rocket::spec {

// A PostgreSQL server that a test may stop: it has one database with schema.sql loaded, and nobody else uses
// it. Its data survive a crash of the server, as its own kill does not lose what the kernel has; they go with
// this object, and also when the test itself is killed. Throws std::runtime_error when a step fails.
class PrivateCluster {
 public:
  // Running when it returns. `settings` are those of the server, "name=value" each; `environment` is added to
  // its own.
  explicit PrivateCluster(const std::vector<std::string>& settings = {}, const Environment& environment = {});
  // A streaming replica of that one, which runs.
  struct ReplicaOf {
    const PrivateCluster& primary;
  };
  explicit PrivateCluster(ReplicaOf of);
  ~PrivateCluster();
  PrivateCluster(const PrivateCluster&) = delete;
  PrivateCluster& operator=(const PrivateCluster&) = delete;

  // For DATABASE_URL; the same after each start.
  const std::string& url() const { return url_; }
  // The same server in the list of servers of a URI.
  std::string address() const;
  // Returns when the server accepts connections.
  void start();
  // Ends all sessions at once, as a crash would: nothing is rolled back or written in good order.
  void crash();
  // Ends all sessions in good order.
  void stop();
  // Makes a replica writable; returns when it is.
  void promote();

 private:
  void make_directory();
  void start(const std::string& command, const std::string& of);
  std::string run(const std::string& command, const std::string& arguments) const;

  std::string environment_;
  std::string settings_;
  std::string directory_;
  std::string url_;
  // The cluster is removed when this end of a pipe closes, by whatever means.
  int life_line_ = -1;
};

}  // namespace rocket::spec
