#include "spec/support/database_pool.h"

#include <chrono>
#include <cstdint>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "rocket/base/ids.h"
#include "spec/support/paths.h"
#include "spec/support/roles.h"
#include "spec/support/test_database.h"

namespace rocket::spec {
namespace {

// As many as run at once are enough.
constexpr int kMaxFree = 8;
constexpr std::chrono::seconds kTimeToEnd{10};

// FNV-1a: the same in every build, unlike std::hash.
std::string fingerprint(const std::string& text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  std::ostringstream hex;
  hex << std::hex << hash;
  return hex.str();
}

std::string template_name() { return "rocket_spec_template_" + fingerprint(schema() + roles()); }
std::string free_prefix() { return "rocket_spec_free_" + fingerprint(schema() + roles()) + "_"; }

std::string unique(std::string prefix) {
  for (const char c : random_uuid()) {
    if (c != '-') prefix += c;
  }
  return prefix;
}

// Everything about a database that a test may change and that emptying its tables does not undo.
constexpr const char* kCatalog = R"sql(
SELECT md5(string_agg(fact, E'\n' ORDER BY fact)) FROM (
  SELECT concat_ws(' ', 'relation', relname, relkind, relpersistence, reloptions, relacl, relowner, relrowsecurity) AS fact
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
  UNION ALL
  SELECT concat_ws(' ', 'column', attrelid::regclass, attnum, attname, atttypid, atttypmod, attnotnull, attacl,
                   pg_get_expr(adbin, adrelid))
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
   WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
  UNION ALL
  SELECT concat_ws(' ', 'constraint', conrelid::regclass, contypid, conname, convalidated, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
  UNION ALL
  SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), indisvalid) FROM pg_index
   WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
  UNION ALL
  SELECT concat_ws(' ', 'trigger', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL
  SELECT concat_ws(' ', 'rule', ev_class::regclass, rulename) FROM pg_rewrite
   WHERE ev_class IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
  UNION ALL
  SELECT concat_ws(' ', 'function', oid::regprocedure, proacl) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL
  SELECT concat_ws(' ', 'schema', nspname, nspacl) FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%'
  UNION ALL
  SELECT concat_ws(' ', 'statistics', tablename, attname) FROM pg_stats WHERE schemaname = 'public'
  UNION ALL
  SELECT concat_ws(' ', 'setting', setconfig) FROM pg_db_role_setting
   WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
  UNION ALL
  SELECT concat_ws(' ', 'database', datdba, datallowconn, datconnlimit, datacl) FROM pg_database
   WHERE datname = current_database()
  UNION ALL
  SELECT concat_ws(' ', 'prepared', gid) FROM pg_prepared_xacts WHERE database = current_database()
  UNION ALL
  SELECT concat_ws(' ', 'event trigger', evtname) FROM pg_event_trigger
) facts
)sql";

constexpr const char* kEmpty = R"sql(
DO $$
BEGIN
  EXECUTE (SELECT 'TRUNCATE ' || string_agg(oid::regclass::text, ', ') || ' RESTART IDENTITY'
             FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r');
END $$
)sql";

std::string url_of(const std::string& name) { return url_with(maintenance_url(), {{"dbname", name}}); }

// Takes half the time of the usual way, which writes all of it to the log of the server.
std::string copied_as_files(SqlSession& maintenance) {
  const bool can_choose = maintenance.number("SELECT current_setting('server_version_num')::int") >= 150'000;
  return can_choose ? " STRATEGY file_copy" : "";
}

}  // namespace

// Its name. Makes it if need be: under another name first, so that one which is half made is never taken for
// whole. Its comment tells what the catalog of a new database is like.
std::string DatabasePool::ensure_template() {
  std::string name = template_name();
  const auto exists = [&] {
    return maintenance_.number("SELECT count(*) FROM pg_database WHERE datname = $1", {name}) == 1;
  };
  if (exists()) return name;
  maintenance_.rows("SELECT pg_advisory_lock(hashtext($1))", {name});
  if (!exists()) {
    const std::string half_made = name + "_new";
    maintenance_.execute("DROP DATABASE IF EXISTS " + half_made + " WITH (FORCE)");
    maintenance_.execute("CREATE DATABASE " + half_made);
    std::string catalog;
    {
      SqlSession session(url_of(half_made));
      session.execute(schema());
      load_roles(url_of(half_made));
      catalog = session.value(kCatalog);
    }
    maintenance_.execute("COMMENT ON DATABASE " + half_made + " IS '" + catalog + "'");
    // The backend of the session above may take a moment to go.
    maintenance_.execute("ALTER DATABASE " + half_made + " ALLOW_CONNECTIONS false");
    maintenance_.rows("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                      {half_made});
    maintenance_.execute("ALTER DATABASE " + half_made + " RENAME TO " + name);
  }
  maintenance_.rows("SELECT pg_advisory_unlock(hashtext($1))", {name});
  return name;
}

std::string DatabasePool::take() {
  std::string name = unique("rocket_spec_");
  for (const auto& row :
       maintenance_.rows("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", {free_prefix()})) {
    try {
      maintenance_.execute("ALTER DATABASE " + *row[0] + " RENAME TO " + name);
      return name;
    } catch (const std::runtime_error&) {
      // Another test was faster.
    }
  }
  const std::string original = ensure_template();
  maintenance_.execute("CREATE DATABASE " + name + " TEMPLATE " + original + copied_as_files(maintenance_));
  return name;
}

bool DatabasePool::has_sessions(const std::string& name) {
  return maintenance_.number("SELECT count(*) FROM pg_stat_activity WHERE datname = $1", {name}) > 0;
}

bool DatabasePool::renew(const std::string& name) {
  SqlSession session(url_of(name));
  session.rows(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
      "WHERE datname = current_database() AND pid <> pg_backend_pid()");
  session.execute("SET lock_timeout = '10s'");
  session.execute(kEmpty);
  session.execute("SET client_min_messages = error");
  session.execute(schema());
  session.rows("SELECT pg_stat_reset()");
  return session.value(kCatalog) ==
         maintenance_.value(
             "SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database "
             "WHERE datname = $1",
             {template_name()});
}

bool DatabasePool::leave_to_others(const std::string& name) {
  if (maintenance_.number("SELECT count(*) FROM pg_database WHERE starts_with(datname, $1)",
                          {free_prefix()}) >= kMaxFree) {
    return false;
  }
  if (!renew(name)) return false;
  // The server waits much longer for them than they take to end.
  const auto end = std::chrono::steady_clock::now() + kTimeToEnd;
  while (has_sessions(name)) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  maintenance_.execute("ALTER DATABASE " + name + " RENAME TO " + unique(free_prefix()));
  return true;
}

void DatabasePool::give_back(const std::string& name) noexcept {
  try {
    if (leave_to_others(name)) return;
  } catch (const std::exception&) {
    // The test may have closed it, or taken rights away.
  }
  try {
    maintenance_.execute("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)");
  } catch (const std::exception& error) {
    std::cerr << "cannot drop " << name << ": " << error.what() << '\n';
  }
}

}  // namespace rocket::spec
