#pragma once

#include <string>
#include <vector>

#include "spec/support/child_process.h"

namespace rocket::spec {

// A PostgreSQL server that a test may stop. It has one database with schema.sql loaded, and no other test
// uses it. Its data survive a crash of the server, because the kernel keeps what a killed process has
// written. The data are removed with this object, and also when the test itself is killed. Throws
// std::runtime_error when a step fails.
class PrivateCluster {
 public:
  // Returns when the server runs. `settings` are settings of the server, each as "name=value". `environment`
  // is added to the server's environment.
  explicit PrivateCluster(const std::vector<std::string>& settings = {}, const Environment& environment = {});
  // Makes a streaming replica of this running primary.
  struct ReplicaOf {
    const PrivateCluster& primary;
  };
  explicit PrivateCluster(ReplicaOf of);
  ~PrivateCluster();
  PrivateCluster(const PrivateCluster&) = delete;
  PrivateCluster& operator=(const PrivateCluster&) = delete;

  // A value for DATABASE_URL. It stays the same after each start.
  const std::string& url() const { return url_; }
  // Host and port, for the list of servers in a URI.
  std::string address() const;
  // Returns when the server accepts connections.
  void start();
  // Kills all sessions at once, as a crash would, without an orderly shutdown.
  void crash();
  // Shuts the server down in an orderly way.
  void stop();
  // Makes a replica writable, and returns when it is writable.
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
