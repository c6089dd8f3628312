#include "spec/integration/completer_rig.h"

#include "rocket/base/ids.h"
#include "rocket/endpoints/all.h"
#include "rocket/process/block_on.h"
#include "spec/support/connected_lanes.h"

namespace rocket::spec {
namespace {

pg::LaneOptions lane_options(const std::string& url) {
  pg::LaneOptions options;
  options.connection.url = url;
  // Long enough for a machine that is busy with other specs.
  options.connect_patience = options.connection.transaction_timeout = std::chrono::seconds(20);
  return options;
}

}  // namespace

CompleterRig::CompleterRig(const TestDatabase& database, ScriptedGateway& gateway,
                           completer::AbandonmentPolicy policy, std::int64_t batch)
    : CompleterRig(database.url(), 2, gateway, policy, batch) {
  wait_until_connected(lanes_);
}

CompleterRig::CompleterRig(const std::string& database_url, ScriptedGateway& gateway)
    : CompleterRig(database_url, 1, gateway, {}, 1000) {}

CompleterRig::CompleterRig(const std::string& database_url, std::size_t lanes, ScriptedGateway& gateway,
                           completer::AbandonmentPolicy policy, std::int64_t batch)
    : endpoints_(endpoints::all_endpoints(gateway, {})),
      engine_({.lease_time = policy.lease_time, .worker = {"completer", "spec"}}, log_),
      lanes_(lanes, lane_options(database_url), log_),
      completer_(lanes_, engine_, endpoints_, log_, policy, batch, completions_) {}

std::size_t CompleterRig::release_leases() {
  return process::block_on(lanes_.at(0).executor(), completer_.release_leases(lanes_.at(0)));
}

std::string abandon(TestDatabase& database, const Abandoned& request) {
  const std::string key = new_key();
  const std::string id = random_uuid();
  database.execute(
      "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
      "  request_params, origin_ip, recovery_point, created_at, last_run_at)"
      "SELECT $1::uuid, id, $2, 'POST', $3, $4::jsonb, '203.0.113.7', $5, now() - $6::interval, "
      "  now() - $6::interval FROM users WHERE email = $7",
      {id, key, request.path, request.params, request.recovery_point, request.age, request.user});
  if (request.recovery_point != "started") {
    database.execute(
        "INSERT INTO rides (idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon, "
        "  price_cents, stripe_charge_id, created_at)"
        "SELECT id, user_id, 1.5, 2, 3, 4, 2000, CASE recovery_point WHEN 'charge_created' THEN 'ch_earlier' "
        "END, "
        "  created_at FROM idempotency_keys WHERE id = $1",
        {id});
  }
  return key;
}

void let_pass(TestDatabase& database, const std::string& key, const std::string& interval) {
  database.execute(
      "UPDATE idempotency_keys SET created_at = created_at - $2::interval, "
      "  last_run_at = last_run_at - $2::interval, locked_at = locked_at - $2::interval "
      "WHERE idempotency_key = $1",
      {key, interval});
}

void hold(TestDatabase& database, const std::string& key, const std::string& since) {
  database.execute(
      "UPDATE idempotency_keys SET lease = gen_random_uuid(), locked_at = now() - $2::interval "
      "WHERE idempotency_key = $1",
      {key, since});
}

bool is_finished(TestDatabase& database, const std::string& key) {
  return database.of_key(key, "recovery_point") == "finished";
}

}  // namespace rocket::spec
