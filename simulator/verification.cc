#include "simulator/verification.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "simulator/ledger_check.h"

namespace rocket::simulator {
namespace {

constexpr std::chrono::milliseconds kSettlePause{500};
constexpr std::size_t kAnswersPerQuery = 1000;

// $1: answers that clients got, with their age in seconds by the steady clock. $2: how long keys are kept, in
// seconds.
constexpr pg::Statement kLostAnswers{"promise_answers_last", R"sql(
SELECT coalesce(key.id::text, 'an answer for user ' || coalesce(users.id::text, '(gone)') || ' whose key is gone')
         AS offender
  FROM jsonb_to_recordset($1::jsonb) AS seen(email text, key text, status int, body text, age bigint)
  LEFT JOIN users ON users.email = seen.email
  LEFT JOIN idempotency_keys key ON key.user_id = users.id AND key.idempotency_key = seen.key
 WHERE CASE WHEN key.id IS NULL THEN seen.age < $2::bigint
            ELSE key.response_code IS DISTINCT FROM seen.status OR key.response_body IS DISTINCT FROM seen.body END
)sql"};

std::string names_of(const std::vector<std::string>& offenders, std::size_t max_named) {
  std::string text;
  for (std::size_t i = 0; i < std::min(offenders.size(), max_named); ++i) {
    if (i > 0) text += ", ";
    text += offenders[i];
  }
  if (offenders.size() > max_named) text += ", …";
  return text;
}

}  // namespace

Verification::Verification(Database& database, const endpoints::Endpoints& endpoints,
                           VerificationOptions options, const Log& report, process::StopSignal& stop)
    : database_(database),
      endpoints_(endpoints),
      options_(std::move(options)),
      report_(report),
      stop_(stop) {}

std::optional<int> Verification::run(const std::vector<Acknowledged>& acknowledged) {
  broken_ = 0;
  if (!settle()) return std::nullopt;
  report_.info("checking", {{"acknowledged", acknowledged.size()}});
  for (const Promise& promise : promises_of(endpoints_)) {
    const pg::Query query = promise.offenders(options_.limits);
    if (!check(promise.name(), [&] { return offenders_of(query); })) return std::nullopt;
  }
  if (!check("answers that clients got are stored", [&] { return lost_answers(acknowledged); })) {
    return std::nullopt;
  }
  if (!check_ledger()) return std::nullopt;
  return broken_;
}

bool Verification::settle() {
  const auto deadline = std::chrono::steady_clock::now() + options_.settle;
  for (;;) {
    const std::optional<pg::Result> counted = database_.run(count_unfinished(options_.limits));
    if (!counted) return false;
    const std::int64_t leased = counted->integer(0, "leased");
    const std::int64_t due = counted->integer(0, "due");
    if ((leased == 0 && due == 0) || std::chrono::steady_clock::now() >= deadline) {
      report_.info("unfinished", {{"leased", leased},
                                  {"waiting", counted->integer(0, "waiting")},
                                  {"due", due},
                                  {"parked", counted->integer(0, "parked")}});
      return true;
    }
    if (stop_.wait_for(kSettlePause)) return false;
  }
}

Verification::Offenders Verification::offenders_of(const pg::Query& query) {
  const std::optional<pg::Result> result = database_.run(query);
  if (!result) return std::nullopt;
  std::vector<std::string> offenders;
  offenders.reserve(static_cast<std::size_t>(result->rows()));
  for (int row = 0; row < result->rows(); ++row) offenders.emplace_back(result->text(row, "offender"));
  return offenders;
}

Verification::Offenders Verification::lost_answers(const std::vector<Acknowledged>& acknowledged) {
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::string> offenders;
  for (std::size_t first = 0; first < acknowledged.size(); first += kAnswersPerQuery) {
    nlohmann::json seen = nlohmann::json::array();
    for (std::size_t i = first; i < std::min(first + kAnswersPerQuery, acknowledged.size()); ++i) {
      const Acknowledged& answer = acknowledged[i];
      seen.push_back({{"email", answer.user_email},
                      {"key", answer.key},
                      {"status", answer.status},
                      {"body", answer.body},
                      {"age", std::chrono::duration_cast<std::chrono::seconds>(now - answer.at).count()}});
    }
    Offenders found =
        offenders_of({kLostAnswers, {seen.dump(), std::to_string(options_.limits.key_retention.count())}});
    if (!found) return std::nullopt;
    offenders.insert(offenders.end(), found->begin(), found->end());
  }
  return offenders;
}

bool Verification::check(const std::string& promise, const std::function<Offenders()>& find_offenders) {
  try {
    const Offenders offenders = find_offenders();
    if (!offenders) return false;
    report(promise, *offenders);
  } catch (const std::exception& error) {
    ++broken_;
    report_.error("promise", {{"promise", promise}, {"verdict", "unchecked"}, {"error", error.what()}});
  }
  return true;
}

bool Verification::check_ledger() {
  if (options_.ledger.empty()) {
    report_.info("the provider's ledger is not checked: MOCK_LEDGER is not set");
    return true;
  }
  std::optional<LedgerFindings> findings;
  const bool go_on = check("one charge per charge key at the provider", [&]() -> Offenders {
    findings = simulator::check_ledger(database_, endpoints_, options_.ledger);
    if (!findings) return std::nullopt;
    return findings->charged_twice;
  });
  if (findings) report("one refund per refund key at the provider", findings->refunded_twice);
  if (findings) report("provider and database agree", findings->disagreeing);
  return go_on;
}

void Verification::report(const std::string& promise, const std::vector<std::string>& offenders) {
  if (offenders.empty()) {
    report_.info("promise", {{"promise", promise}, {"verdict", "ok"}});
    return;
  }
  ++broken_;
  report_.error("promise", {{"promise", promise},
                            {"verdict", "broken"},
                            {"count", offenders.size()},
                            {"offenders", names_of(offenders, options_.max_named)}});
}

}  // namespace rocket::simulator
