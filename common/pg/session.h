#pragma once

#include <asio/awaitable.hpp>
#include <memory>
#include <vector>

#include "rocket/pg/connection.h"
#include "rocket/pg/query.h"
#include "rocket/pg/result.h"

namespace rocket::pg {

// A connection that opens when it is needed, and anew after it was lost. One transaction at a time; not
// thread safe; always on the same executor. Throws what Connection throws.
class Session {
 public:
  explicit Session(ConnectionOptions options);

  // One query in a transaction of its own.
  asio::awaitable<Result> run(Query query);
  // The same as Connection::transact with `before_commit`.
  asio::awaitable<std::vector<Result>> transact(std::vector<Query> queries,
                                                Connection::BeforeCommit before_commit);

 private:
  asio::awaitable<void> ensure_open();

  ConnectionOptions options_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace rocket::pg
