#pragma once

#include <asio/io_context.hpp>
#include <optional>
#include <string>

#include "rocket/base/log.h"
#include "rocket/pg/query.h"
#include "rocket/pg/result.h"
#include "rocket/pg/session.h"
#include "rocket/process/stop_signal.h"

namespace rocket::simulator {

// The simulator's own connection to the database. Must be used from one thread at a time.
class Database {
 public:
  // `log` and `stop` must outlive it.
  Database(const std::string& url, const Log& log, process::StopSignal& stop);

  // Runs one query in a transaction of its own. If the database is away or not yet set up, waits with growing
  // pauses and runs the query again, so the query must be safe to repeat. Returns nullopt if the process was
  // told to stop first. Throws pg::StatementFailed.
  std::optional<pg::Result> run(const pg::Query& query);

 private:
  std::optional<pg::Result> run_once(const pg::Query& query);

  const Log& log_;
  process::StopSignal& stop_;
  asio::io_context context_{1};
  pg::Session session_;
};

}  // namespace rocket::simulator
