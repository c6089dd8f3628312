#include "simulator/database.h"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

#include "rocket/base/backoff.h"
#include "rocket/pg/errors.h"

namespace rocket::simulator {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstBackoff{100};
constexpr milliseconds kLongestBackoff{2000};
// A check may read whole tables and so take long. A stop signal is noticed while it runs.
constexpr std::chrono::minutes kLongestQuery{30};
constexpr milliseconds kStopNoticed{100};
constexpr const char* kUndefinedTable = "42P01";

pg::ConnectionOptions connection_options(const std::string& url) {
  pg::ConnectionOptions options;
  options.url = url;
  options.application_name = "rocket-rides simulator";
  options.transaction_timeout = kLongestQuery;
  return options;
}

struct Answer {
  std::optional<pg::Result> result;
  std::exception_ptr error;
  bool arrived = false;
};

asio::awaitable<void> ask(pg::Session& session, pg::Query query, std::shared_ptr<Answer> answer) {
  answer->result.emplace(co_await session.run(std::move(query)));
}

}  // namespace

Database::Database(const std::string& url, const Log& log, process::StopSignal& stop)
    : log_(log), stop_(stop), session_(connection_options(url)) {}

std::optional<pg::Result> Database::run(const pg::Query& query) {
  bool was_away = false;
  for (Backoff backoff(kFirstBackoff, kLongestBackoff); !stop_.requested();) {
    std::string mistake;
    try {
      std::optional<pg::Result> result = run_once(query);
      if (was_away && result) log_.info("database is back");
      return result;
    } catch (const pg::StatementFailed& failed) {
      // A table may be missing because the set-up of the database is slower than we are.
      const bool passes = failed.may_pass_when_repeated() || failed.is_temporary();
      if (!passes && failed.sqlstate() != kUndefinedTable) throw;
      mistake = failed.what();
    } catch (const pg::Unavailable& away) {
      mistake = away.what();
    } catch (const std::system_error& error) {
      mistake = error.what();
    }
    if (!was_away) log_.warn("waiting for the database", {{"error", mistake}});
    was_away = true;
    stop_.wait_for(backoff.next());
  }
  return std::nullopt;
}

std::optional<pg::Result> Database::run_once(const pg::Query& query) {
  // Shared with the query, which may still be running when this function returns after a stop.
  const auto answer = std::make_shared<Answer>();
  asio::co_spawn(context_, ask(session_, query, answer), [answer](std::exception_ptr error) {
    answer->error = std::move(error);
    answer->arrived = true;
  });
  context_.restart();
  while (!answer->arrived && !stop_.requested()) context_.run_for(kStopNoticed);
  if (!answer->arrived) return std::nullopt;
  if (answer->error) std::rethrow_exception(answer->error);
  return std::move(answer->result);
}

}  // namespace rocket::simulator
