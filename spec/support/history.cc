#include "spec/support/history.h"

namespace rocket::spec {

std::string history_of(TestDatabase& database, const std::string& key) {
  return database.value(
      "SELECT coalesce(string_agg(concat_ws(' ', a.attempt, coalesce(process, '-'), outcome, "
      "coalesce(reason, '-'), "
      "  coalesce(from_point, '-') || '>' || coalesce(to_point, '-')), E'\\n' ORDER BY a.id), '') "
      "FROM key_attempts a JOIN idempotency_keys k ON k.id = a.key_id WHERE k.idempotency_key = $1",
      {key});
}

}  // namespace rocket::spec
