#include "simulator/ledger_check.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "simulator/ledger.h"

namespace rocket::simulator {
namespace {

constexpr int kPage = 10'000;

// The calls for the rows of an effect, in pages. Of a request that an operator has closed, the provider may
// have a call that is not recorded. $1: the last idempotency_key_id of the previous page. $2: rows per page.
std::string calls_for(const endpoints::Effect& effect) {
  return "SELECT made.idempotency_key_id, made." + effect.call_key + " AS call_key, made." + effect.call_id +
         " AS call_id, key.response_code IS NOT NULL AND key.response_body !~ '\"code\": ?\"request_closed\"'"
         "   AS is_finished FROM " +
         effect.table +
         " made LEFT JOIN idempotency_keys key ON key.id = made.idempotency_key_id"
         " WHERE made.idempotency_key_id > $1::uuid ORDER BY made.idempotency_key_id LIMIT $2::bigint";
}

struct Call {
  std::string key;
  std::optional<std::string> id;
  bool is_finished = false;
};

struct Comparison {
  // The provider is called after the row is committed, and before the id of the call is committed. So, while
  // traffic goes on, what is in an earlier reading of the ledger must be in the database, and what is in the
  // database must be in a later reading of the ledger.
  Ledger earlier;
  std::unordered_set<std::string> seen;
  std::vector<Call> answered;
  std::vector<std::string> disagreeing;

  void add(Call call) {
    seen.insert(call.key);
    if (const auto* calls = earlier.find(call.key)) {
      const bool contradicts = calls->is_declined() ? call.id.has_value() : call.is_finished && !call.id;
      if (contradicts) disagreeing.push_back(call.key);
    }
    if (call.id) answered.push_back(std::move(call));
  }

  void finish(const Ledger& later) {
    for (const auto& [key, calls] : earlier.calls()) {
      if (!seen.contains(key)) disagreeing.push_back(key + " (not in the database)");
    }
    for (const Call& call : answered) {
      if (!later.moved(call.key, *call.id)) disagreeing.push_back(call.key);
    }
    std::sort(disagreeing.begin(), disagreeing.end());
    disagreeing.erase(std::unique(disagreeing.begin(), disagreeing.end()), disagreeing.end());
  }
};

// Returns false if told to stop.
bool add_effect(Comparison& comparison, Database& database, const endpoints::Effect& effect) {
  const std::string name = "ledger_of_" + effect.table;
  const std::string sql = calls_for(effect);
  const pg::Statement statement{name.c_str(), sql.c_str()};
  std::string last_id = "00000000-0000-0000-0000-000000000000";
  for (;;) {
    const std::optional<pg::Result> page = database.run({statement, {last_id, std::to_string(kPage)}});
    if (!page) return false;
    for (int row = 0; row < page->rows(); ++row) {
      last_id = page->text(row, "idempotency_key_id");
      comparison.add({std::string(page->text(row, "call_key")), page->optional_text(row, "call_id"),
                      page->text(row, "is_finished") == "t"});
    }
    if (page->rows() < kPage) return true;
  }
}

}  // namespace

std::optional<LedgerFindings> check_ledger(Database& database, const endpoints::Endpoints& endpoints,
                                           const std::string& path) {
  Comparison comparison{.earlier = Ledger::read(path), .seen = {}, .answered = {}, .disagreeing = {}};
  for (const endpoints::Endpoint& endpoint : endpoints) {
    for (const endpoints::Effect& effect : endpoint.effects) {
      if (!effect.call_key.empty() && !add_effect(comparison, database, effect)) return std::nullopt;
    }
  }
  const Ledger later = Ledger::read(path);
  comparison.finish(later);
  return LedgerFindings{later.repeated_charges(), later.repeated_refunds(),
                        std::move(comparison.disagreeing)};
}

}  // namespace rocket::simulator
