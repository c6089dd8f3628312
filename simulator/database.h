#pragma once

#include <asio/io_context.hpp>
#include <optional>
#include <string>

#include "base/log.h"
#include "pg/query.h"
#include "pg/result.h"
#include "pg/session.h"
#include "process/stop_signal.h"

namespace rocket::simulator {

// One connection, used from one thread at a time, for the simulator's own questions.
class Database {
 public:
  // `log` and `stop` must outlive it.
  Database(const std::string& url, const Log& log, process::StopSignal& stop);

  // Runs one query in a transaction of its own. Waits, with growing pauses, for a database that is away or
  // not yet set up, and then runs it again: it must be safe to repeat. nullopt: the process was told to stop
  // first. Throws pg::StatementFailed.
  std::optional<pg::Result> run(const pg::Query& query);

 private:
  std::optional<pg::Result> run_once(const pg::Query& query);

  const Log& log_;
  process::StopSignal& stop_;
  asio::io_context context_{1};
  pg::Session session_;
};

}  // namespace rocket::simulator
