#include "rocket/pg/session.h"

#include <array>
#include <utility>

namespace rocket::pg {

Session::Session(ConnectionOptions options) : options_(std::move(options)) {}

asio::awaitable<void> Session::ensure_open() {
  if (connection_ && connection_->alive()) co_return;
  connection_.reset();
  connection_ = co_await Connection::open(options_);
}

asio::awaitable<Result> Session::run(Query query) {
  co_await ensure_open();
  const std::array<const Query*, 1> queries{&query};
  try {
    std::vector<Result> results = co_await connection_->transact(queries);
    co_return std::move(results.front());
  } catch (const Unavailable&) {
    connection_.reset();
    throw;
  }
}

asio::awaitable<std::vector<Result>> Session::transact(std::vector<Query> queries,
                                                       Connection::BeforeCommit before_commit) {
  co_await ensure_open();
  std::vector<const Query*> all;
  all.reserve(queries.size());
  for (const Query& query : queries) all.push_back(&query);
  try {
    co_return co_await connection_->transact(all, std::move(before_commit));
  } catch (const Unavailable&) {
    connection_.reset();
    throw;
  }
}

}  // namespace rocket::pg
