#include "rocket/pg/session_settings.h"

#include <array>
#include <utility>

namespace rocket::pg {
namespace {

using Setting = std::pair<const char*, const char*>;

constexpr std::array kSettings{
    // These decide how a value is written as text. That text becomes part of stored answers.
    Setting{"client_encoding", "UTF8"},
    Setting{"TimeZone", "UTC"},
    Setting{"DateStyle", "ISO, MDY"},
    Setting{"IntervalStyle", "postgres"},
    Setting{"extra_float_digits", "1"},
    Setting{"bytea_output", "hex"},
    Setting{"xmlbinary", "base64"},
    Setting{"lc_monetary", "C"},
    Setting{"lc_numeric", "C"},
    Setting{"lc_time", "C"},
    // These decide what our statements mean: our arrays hold NULLs, for instance. And an error must not end
    // the session.
    Setting{"array_nulls", "on"},
    Setting{"standard_conforming_strings", "on"},
    Setting{"transform_null_equals", "off"},
    Setting{"exit_on_error", "off"},
    // All statements of ours go by index, for a few rows each. A planner that is asked while the tables are
    // still small would choose otherwise.
    Setting{"plan_cache_mode", "force_generic_plan"},
    Setting{"enable_seqscan", "off"},
    Setting{"jit", "off"},
};

// An acknowledged request survives a crash of the server. Every value but "off" keeps that promise.
constexpr const char* kDurability =
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = "
    "'off'";

std::string same_everywhere() {
  std::string all;
  for (const auto& [name, value] : kSettings) {
    all.append(all.empty() ? "SELECT set_config('" : ", set_config('");
    all.append(name).append("', '").append(value).append("', false)");
  }
  return all;
}

// The server gives up before we do, so that a cut connection leaves nothing running behind it. It gives up
// even earlier if its operator says so. Waiting for a lock may take only a part of the time, because others
// wait behind it. current_setting() shows a value with its unit, as an interval is written. pg_settings shows
// it without, but makes all of its rows for that.
std::string limits(std::chrono::milliseconds transaction_timeout) {
  const auto share = [&](int percent) { return std::to_string(transaction_timeout.count() * percent / 100); };
  return "SELECT set_config(name, least(nullif(theirs, 0), ours)::text, false) FROM (VALUES "
         "('statement_timeout', " +
         share(80) + "), ('lock_timeout', " + share(25) + "), ('idle_in_transaction_session_timeout', " +
         share(100) +
         ")) AS limits (name, ours), "
         "LATERAL (SELECT (1000 * extract(epoch FROM current_setting(name)::interval))::bigint AS theirs) AS "
         "set";
}

}  // namespace

std::string session_settings(std::chrono::milliseconds transaction_timeout) {
  return limits(transaction_timeout) + "; " + same_everywhere() + "; " + kDurability;
}

}  // namespace rocket::pg
