#include "spec/fault/contents.h"

namespace rocket::spec {
namespace {

// Counts the receipts and the audit records per ride or other resource, so that a ride with two receipts does
// not make up for a ride without one.
const std::string kShares =
    "SELECT name, copies, count(*) FROM ("
    "  SELECT coalesce(job_name, 'no job'), count(job_name) FROM rides LEFT JOIN staged_jobs"
    "    ON job_args->>'ride_id' = rides.id::text GROUP BY rides.id, job_name"
    "  UNION ALL"
    "  SELECT action || ' ' || resource_type, count(*) FROM audit_records"
    "   GROUP BY action, resource_type, resource_id) AS shares (name, copies) GROUP BY 1, 2";

// Which columns of this table the stored answers show, and whether they show the right value. Leaves out
// created_at, because specs age rows.
std::string told_about(const std::string& table) {
  return "WITH answers AS MATERIALIZED ("
         "  SELECT id, response_body::jsonb - 'message' AS body FROM idempotency_keys"
         "   WHERE response_code / 100 = 2) "
         "SELECT told.name, to_jsonb(made)->told.name = told.value, count(*)"
         "  FROM " +
         table +
         " made JOIN answers ON answers.id = made.idempotency_key_id,"
         "       jsonb_each(answers.body) AS part (name, value), jsonb_each(part.value) AS told (name, value)"
         " WHERE to_jsonb(made) ? told.name AND told.name <> 'created_at' GROUP BY 1, 2";
}

}  // namespace

std::vector<std::string> tables_of_requests(TestDatabase& database) {
  std::vector<std::string> tables;
  for (const auto& table : database.rows("SELECT table_name FROM information_schema.columns WHERE "
                                         "table_schema = 'public' AND column_name = 'idempotency_key_id'")) {
    tables.push_back(*table[0]);
  }
  return tables;
}

std::map<std::string, std::string> contents(TestDatabase& database) {
  std::map<std::string, std::string> contents;
  for (const auto& table :
       database.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = "
                     "'public' AND table_type = 'BASE TABLE' AND table_name <> 'key_attempts'")) {
    contents[*table[0]] = database.value("SELECT count(*) FROM " + *table[0]);
  }
  for (const auto& column : database.rows(
           "SELECT table_name, column_name, data_type IN ('integer', 'bigint') AND column_name NOT LIKE "
           "'%id' FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT IN "
           "('idempotency_keys', 'key_attempts')")) {
    const std::string name = *column[0] + '.' + *column[1];
    contents[name] = database.value("SELECT count(" + *column[1] + ") FROM " + *column[0]);
    if (*column[2] == "f") continue;
    contents["sum of " + name] =
        database.value("SELECT coalesce(sum(" + *column[1] + "), 0) FROM " + *column[0]);
  }
  for (const auto& end :
       database.rows("SELECT recovery_point, response_code, lease IS NULL, parked_at IS NULL, count(*) FROM "
                     "idempotency_keys GROUP BY 1, 2, 3, 4")) {
    contents["keys " + *end[0] + ' ' + end[1].value_or("unanswered") + ' ' + *end[2] + ' ' + *end[3]] =
        *end[4];
  }
  for (const auto& share : database.rows(kShares)) {
    contents[*share[0] + ", " + *share[1] + " for each"] = *share[2];
  }
  for (const std::string& table : tables_of_requests(database)) {
    for (const auto& told : database.rows(told_about(table))) {
      contents["told " + table + '.' + *told[0] + (*told[1] == "t" ? " as it is" : " otherwise")] = *told[2];
    }
  }
  return contents;
}

}  // namespace rocket::spec
