#include "api/readiness.h"

#include <asio/associated_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "api/identity.h"
#include "api/queries.h"
#include "api/waiting_duplicates.h"
#include "rocket/idempotency/keys.h"
#include "rocket/pg/errors.h"

namespace rocket::api {
namespace {

constexpr std::chrono::seconds kHolds{1};

std::string joined(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) text.append(text.empty() ? "" : "; ").append(sentence);
  return text;
}

}  // namespace

Readiness::Readiness(const std::vector<pg::Statement>& statements, const Log& log)
    : requirements_(statements), log_(log) {}

asio::awaitable<std::vector<std::string>> Readiness::find_missing(pg::Lane& lane) {
  if (lane.is_away()) throw pg::Unavailable("the database is away");
  std::optional<Verdict> verdict;
  bool checks = false;
  {
    const std::lock_guard lock(mutex_);
    if (Clock::now() < good_until_) {
      verdict = verdict_;
    } else if (!is_under_way_) {
      checks = is_under_way_ = true;
      is_forgotten_ = false;
    }
  }
  if (checks) {
    verdict = settle(co_await check(lane));
  } else if (!verdict) {
    verdict = co_await wait_for_verdict();
  }
  if (verdict->error) std::rethrow_exception(verdict->error);
  co_return std::move(verdict->missing);
}

void Readiness::forget() {
  const std::lock_guard lock(mutex_);
  is_forgotten_ = true;
  good_until_ = {};
}

asio::awaitable<Readiness::Verdict> Readiness::check(pg::Lane& lane) {
  pg::Requirements::Transact transact = [&lane](std::vector<pg::Query> queries) {
    pg::Unit unit;
    unit.queries = std::move(queries);
    unit.exclusive = true;
    unit.is_probe = true;
    return lane.commit(std::move(unit));
  };
  Verdict verdict;
  try {
    verdict.missing = co_await requirements_.find_missing(std::move(transact));
  } catch (const pg::StatementFailed& failed) {
    verdict.error = std::current_exception();
    verdict.is_undecided = failed.waited_too_long();
  } catch (...) {
    verdict.error = std::current_exception();
  }
  co_return verdict;
}

asio::awaitable<Readiness::Verdict> Readiness::wait_for_verdict() {
  return asio::async_initiate<decltype(asio::use_awaitable), void(Verdict)>(
      [this](auto handler) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        // Each waiting caller continues on its own executor, which may be on another thread.
        const auto go_on = [shared](const Verdict& verdict) {
          asio::post(asio::get_associated_executor(*shared),
                     [shared, verdict] { std::move (*shared)(verdict); });
        };
        const std::lock_guard lock(mutex_);
        if (is_under_way_) {
          waiting_.emplace_back(go_on);
        } else {
          go_on(verdict_);
        }
      },
      asio::use_awaitable);
}

// Hands the verdict to all who wait, and returns it.
Readiness::Verdict Readiness::settle(Verdict verdict) {
  std::vector<std::function<void(const Verdict&)>> waiting;
  std::optional<std::vector<std::string>> news;
  {
    const std::lock_guard lock(mutex_);
    if (verdict.is_undecided && is_known_) verdict = verdict_;
    is_known_ = !verdict.error;
    verdict_ = verdict;
    // An error on one lane says nothing about the others, so it does not hold.
    const bool holds = !verdict.error && !is_forgotten_;
    good_until_ = holds ? Clock::now() + kHolds : Clock::time_point{};
    is_under_way_ = false;
    waiting.swap(waiting_);
    if (!verdict.error && verdict.missing != logged_) news = logged_ = verdict.missing;
  }
  for (const auto& go_on : waiting) go_on(verdict);
  if (news && news->empty()) log_.info("database is ready");
  if (news && !news->empty()) log_.error("database is not ready", {{"missing", joined(*news)}});
  return verdict;
}

void Readiness::check_at_start(pg::Lane& lane) {
  asio::co_spawn(lane.executor(), check_until_known(lane), asio::detached);
}

asio::awaitable<void> Readiness::check_until_known(pg::Lane& lane) {
  for (;;) {
    try {
      co_await find_missing(lane);
      co_return;
    } catch (const std::exception&) {
      // The lane has logged that the database is away.
    }
    asio::steady_timer pause(lane.executor(), kHolds);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

std::vector<pg::Statement> statements_of(const endpoints::Endpoints& endpoints) {
  std::vector<pg::Statement> all = endpoints.statements();
  for (const auto& more :
       {idempotency::key_statements(), query_statements(), identity_statements(), waiting_statements()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

}  // namespace rocket::api
