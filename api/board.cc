#include "api/board.h"

#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <cstddef>
#include <vector>

#include "api/identity.h"
#include "api/queries.h"

namespace rocket::api {
namespace {

constexpr std::chrono::milliseconds kFreshness{900};
// A board that is older is not shown while a new one is made.
constexpr std::chrono::seconds kStalest{5};
// Whoever has not looked for so long does not watch any more.
constexpr std::chrono::seconds kAttention{30};
// Bounds the array of the statement. Others are looked up one by one.
constexpr std::size_t kMaxWatchers = 10'000;

// Each part reads the end of an index and stops after a bounded number of rows. $1: a JSON array with the
// credentials of the watchers. $2: whether e-mail addresses are enough. `permitted` has the places of those
// who may watch.
constexpr pg::Statement kBoard{"operators_board", R"sql(
WITH unfinished AS MATERIALIZED (
  SELECT * FROM idempotency_keys
   WHERE finished_at IS NULL AND parked_at IS NULL
   ORDER BY created_at DESC LIMIT 1000
), oldest AS MATERIALIZED (
  SELECT * FROM idempotency_keys
   WHERE finished_at IS NULL AND parked_at IS NULL
   ORDER BY created_at LIMIT 40
), finished AS MATERIALIZED (
  SELECT * FROM idempotency_keys
   WHERE finished_at > now() - interval '5 s'
   ORDER BY finished_at DESC LIMIT 1000
), parked AS MATERIALIZED (
  SELECT * FROM idempotency_keys WHERE parked_at IS NOT NULL ORDER BY parked_at DESC LIMIT 100
), under_way AS (
  SELECT k.id, 'user ' || k.user_id AS user, left(k.idempotency_key, 8) AS key, k.request_method || ' ' || k.request_path AS request,
         k.recovery_point AS point, k.lease IS NOT NULL AS leased, k.attempts,
         extract(epoch FROM now() - k.locked_at)::int AS lease_age_s, k.last_error AS error
    FROM (SELECT * FROM unfinished LIMIT 40) k
), waiting_longest AS (
  SELECT k.id, 'user ' || k.user_id AS user, left(k.idempotency_key, 8) AS key, k.request_method || ' ' || k.request_path AS request,
         k.recovery_point AS point, k.attempts, extract(epoch FROM now() - k.created_at)::bigint AS age_s,
         extract(epoch FROM now() - k.locked_at)::bigint AS lease_age_s, k.last_error AS error
    FROM oldest k ORDER BY k.created_at
), ended AS (
  SELECT k.id, 'user ' || k.user_id AS user, left(k.idempotency_key, 8) AS key, k.request_method || ' ' || k.request_path AS request,
         k.attempts, k.response_code AS status
    FROM (SELECT * FROM finished LIMIT 40) k
), waiting AS (
  SELECT k.id, 'user ' || k.user_id AS user, left(k.idempotency_key, 8) AS key, k.request_method || ' ' || k.request_path AS request,
         k.recovery_point AS point, k.attempts, k.last_error AS error, k.parked_at
    FROM parked k
), first_attempts AS (
  SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - created_at) * 1000)
         AS latency
    FROM finished WHERE attempts = 1
), jobs AS MATERIALIZED (
  SELECT created_at FROM staged_jobs ORDER BY id LIMIT 1000
), workers AS (
  SELECT substr(application_name, length('rocket-rides ') + 1) AS name, count(*) AS connections,
         extract(epoch FROM now() - max(state_change))::float8 AS idle_s
    FROM pg_stat_activity
   WHERE datname = current_database() AND application_name LIKE 'rocket-rides %' AND pid <> pg_backend_pid()
   GROUP BY 1
)
SELECT json_build_object(
  'at', now(),
  'points', (SELECT coalesce(json_object_agg(recovery_point, counted), '{}') FROM
              (SELECT recovery_point,
                      json_build_object('all', count(*), 'leased', count(lease),
                                        'oldest_s', extract(epoch FROM now() - min(created_at))::bigint) AS counted
                 FROM (SELECT id, recovery_point, lease, created_at FROM unfinished
                       UNION SELECT id, recovery_point, lease, created_at FROM oldest) both_ends GROUP BY 1) points),
  'leases', (SELECT count(*) FROM unfinished WHERE lease IS NOT NULL),
  'retried', (SELECT count(*) FROM unfinished WHERE attempts > 1),
  'unfinished', (SELECT count(*) FROM unfinished),
  'most', 1000,
  'under_way', (SELECT coalesce(json_agg(under_way), '[]') FROM under_way),
  'oldest', (SELECT coalesce(json_agg(waiting_longest), '[]') FROM waiting_longest),
  'ended', (SELECT coalesce(json_agg(ended), '[]') FROM ended),
  'parked', (SELECT coalesce(json_agg(waiting), '[]') FROM waiting),
  'parked_count', (SELECT count(*) FROM (SELECT FROM idempotency_keys WHERE parked_at IS NOT NULL LIMIT 1000) counted),
  'rate', (SELECT CASE WHEN count(*) < 1000 THEN count(*) / 5.0
                       ELSE 1000 / greatest(extract(epoch FROM now() - min(finished_at)), 0.001) END FROM finished),
  'latency_ms', (SELECT latency FROM first_attempts),
  'jobs', (SELECT count(*) FROM jobs),
  'oldest_job_s', (SELECT extract(epoch FROM now() - min(created_at))::float8 FROM jobs),
  'workers', (SELECT coalesce(json_agg(workers ORDER BY name), '[]') FROM workers))::text AS board,
  (SELECT coalesce(json_agg(n), '[]')
     FROM jsonb_array_elements_text($1::jsonb) WITH ORDINALITY AS asked (credential, n)
    WHERE EXISTS (SELECT FROM api_tokens
                   WHERE token_hash = asked.credential AND 'operate' = ANY (scopes) AND revoked_at IS NULL
                     AND (expires_at IS NULL OR expires_at > now()))
       OR ($2::bool AND EXISTS (SELECT FROM users WHERE email = asked.credential AND disabled_at IS NULL)))::text
    AS permitted
)sql"};

bool is_email(const std::string& credentials) { return credentials.find('@') != std::string::npos; }

}  // namespace

asio::awaitable<std::optional<Failure>> Board::find_fault(pg::Lane& lane, std::string credentials,
                                                          SharedRequestIds ids) const {
  std::string scope = is_email(credentials) && emails_may_operate_ ? "read" : "operate";
  return api::find_fault(lane, std::move(credentials), std::move(scope), {}, std::move(ids));
}

asio::awaitable<Expected<std::string>> Board::look(pg::Lane& lane, std::string credentials) {
  const auto now = Clock::now();
  auto watcher = watchers_.find(credentials);
  if (watcher == watchers_.end()) {
    auto fault = co_await find_fault(lane, credentials);
    if (fault) co_return Unexpected(std::move(*fault));
    if (watchers_.size() < kMaxWatchers) watchers_.emplace(credentials, now);
  } else {
    watcher->second = now;
  }
  const auto age = Clock::now() - board_is_of_;
  const bool is_enough = age < kFreshness || (age < kStalest && !asking_.expired());
  if (is_enough) co_return board_;
  co_await refresh(lane);
  // The statement has just found that these permit it no longer.
  if (!watchers_.contains(credentials)) {
    auto fault = co_await find_fault(lane, credentials);
    if (fault) co_return Unexpected(std::move(*fault));
  }
  co_return board_;
}

asio::awaitable<void> Board::refresh(pg::Lane& lane) {
  if (const auto asking = asking_.lock()) {
    asio::error_code cancelled;
    co_await asking->async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  } else {
    const auto mine = std::make_shared<asio::steady_timer>(lane.executor(), Clock::time_point::max());
    asking_ = mine;
    error_ = nullptr;
    try {
      co_await ask(lane);
    } catch (...) {
      error_ = std::current_exception();
    }
    asking_.reset();
    mine->cancel();
  }
  if (error_) std::rethrow_exception(error_);
}

asio::awaitable<void> Board::ask(pg::Lane& lane) {
  std::erase_if(watchers_, [now = Clock::now()](const auto& each) { return now - each.second > kAttention; });
  std::vector<std::string> asked;
  asked.reserve(watchers_.size());
  for (const auto& [credentials, looked] : watchers_) asked.push_back(credentials);
  pg::Query query(kBoard, {nlohmann::json(asked).dump(), emails_may_operate_ ? "true" : "false"});
  const pg::Result result = co_await run(lane, std::move(query));
  std::vector<bool> is_permitted(asked.size(), false);
  for (const auto& place : nlohmann::json::parse(result.text(0, "permitted"))) {
    is_permitted.at(place.get<std::size_t>() - 1) = true;
  }
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (!is_permitted[i]) watchers_.erase(asked[i]);
  }
  std::string own = own_().dump();
  own.back() = ',';
  board_ = own + "\"board\":" + std::string(result.text(0, "board")) + '}';
  board_is_of_ = Clock::now();
}

}  // namespace rocket::api
