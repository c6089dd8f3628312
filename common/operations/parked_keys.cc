#include "rocket/operations/parked_keys.h"

#include <stdexcept>
#include <utility>

#include "rocket/base/text.h"
#include "rocket/endpoints/failures.h"

namespace rocket::operations {
namespace {

constexpr std::size_t kLongestNote = 1000;

// Both statements: $1 key id, $2 operator, $3 note, $4 process, $5 host, $6 the operator's address.
// Resuming moves last_run_at back, so that no pause is left. created_at is the earliest time that it can
// have.
constexpr pg::Statement kResume{"resume_parked_key", R"sql(
WITH resumed AS (
  UPDATE idempotency_keys
     SET parked_at = NULL, resumed_at = now(), completions = 0, last_run_at = created_at
   WHERE id = $1 AND parked_at IS NOT NULL
  RETURNING id, user_id, attempts, recovery_point
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data)
  SELECT 'key_resumed', 'user', user_id, user_id, nullif($6, '')::inet,
         jsonb_strip_nulls(jsonb_build_object('operator', $2::text, 'key_id', id, 'note', nullif($3::text, '')))
    FROM resumed
), history AS (
  INSERT INTO key_attempts (key_id, attempt, process, host, from_point, to_point, outcome, error)
  SELECT id, attempts, $4::text, $5::text, recovery_point, recovery_point, 'resumed',
         left('by ' || $2::text || coalesce(': ' || nullif($3::text, ''), ''), 500)
    FROM resumed
)
SELECT id FROM resumed
)sql"};

// Also $7 status and $8 body of the final answer.
constexpr pg::Statement kClose{"close_parked_key", R"sql(
WITH parked AS (
  SELECT id, recovery_point FROM idempotency_keys WHERE id = $1 AND parked_at IS NOT NULL FOR UPDATE
), closed AS (
  UPDATE idempotency_keys k
     SET recovery_point = 'finished', parked_at = NULL, finished_at = now(), response_code = $7::int, response_body = $8
    FROM parked
   WHERE k.id = parked.id
  RETURNING k.id, k.user_id, k.attempts, parked.recovery_point AS from_point
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data)
  SELECT 'key_closed', 'user', user_id, user_id, nullif($6, '')::inet,
         jsonb_build_object('operator', $2::text, 'key_id', id, 'note', $3::text, 'point', from_point)
    FROM closed
), history AS (
  INSERT INTO key_attempts (key_id, attempt, process, host, from_point, to_point, outcome, error)
  SELECT id, attempts, $4::text, $5::text, from_point, 'finished', 'closed',
         left('by ' || $2::text || ': ' || $3::text, 500)
    FROM closed
)
SELECT id FROM closed
)sql"};

pg::Params params_of(const Order& order) {
  return {order.key_id,   storable(order.operator_name), storable(order.note), order.process, order.host,
          order.origin_ip};
}

pg::Query change(const Order& order) {
  pg::Params params = params_of(order);
  if (order.deed == Deed::kResume) return {kResume, std::move(params)};
  if (!is_note(order.note)) throw std::invalid_argument("a key is closed with a note");
  const idempotency::Response answer = endpoints::refused(kClosedCode);
  params.emplace_back(std::to_string(answer.status));
  params.emplace_back(answer.body);
  return {kClose, std::move(params)};
}

Verdict verdict_of(Deed deed, bool is_changed, const pg::Result& story) {
  if (story.empty()) return Verdict::kNoSuchKey;
  if (is_changed) return Verdict::kDone;
  const std::string_view state = story.text(0, "state");
  const bool is_closed = state == "closed";
  if (deed == Deed::kClose) return is_closed ? Verdict::kDoneBefore : Verdict::kIsNotParked;
  if (is_closed) return Verdict::kIsClosed;
  // A key that is parked again by now was resumed by somebody else at this moment.
  return story.is_null(0, "resumed_at") ? Verdict::kIsNotParked : Verdict::kDoneBefore;
}

// A character of more than one byte begins with a byte that is no continuation.
std::size_t characters_in(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  return count;
}

}  // namespace

bool is_note(std::string_view text) {
  if (storable(text) != text || characters_in(text) > kLongestNote) return false;
  std::string plain(text);
  for (char& c : plain) {
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
  }
  return printable(plain) == plain && plain.find_first_not_of(' ') != std::string::npos;
}

std::vector<pg::Query> carry_out(const Order& order, std::chrono::seconds lease_time) {
  std::vector<pg::Query> both;
  both.push_back(change(order));
  both.push_back(find_story(order.key_id, lease_time));
  return both;
}

OrderResult read_order(Deed deed, const std::vector<pg::Result>& results) {
  const pg::Result& story = results.at(1);
  OrderResult result{verdict_of(deed, !results.at(0).empty(), story), {}};
  if (!story.empty()) result.story = story.text(0, "story");
  return result;
}

std::string_view sentence_of(Deed deed, Verdict verdict) {
  const bool closes = deed == Deed::kClose;
  switch (verdict) {
    case Verdict::kDone:
      return closes ? "The request is closed. Its client gets the answer request_closed from now on."
                    : "The request is resumed. It is due now.";
    case Verdict::kDoneBefore:
      return closes ? "The request was closed before. Nothing has changed."
                    : "The request was resumed before. Nothing has changed.";
    case Verdict::kIsClosed:
      return "The request is closed, so it cannot be resumed.";
    case Verdict::kIsNotParked:
      return "The request is not parked, so there is nothing to do.";
    case Verdict::kNoSuchKey:
      break;
  }
  return "There is no such key.";
}

}  // namespace rocket::operations
