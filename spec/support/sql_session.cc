#include "spec/support/sql_session.h"

#include <map>
#include <stdexcept>

namespace rocket::spec {
namespace {

std::string quoted(const std::string& value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "'";
}

}  // namespace

SqlSession::SqlSession(const std::string& url) : connection_(PQconnectdb(url.c_str()), &PQfinish) {
  if (PQstatus(connection_.get()) != CONNECTION_OK)
    throw std::runtime_error(PQerrorMessage(connection_.get()));
  // Keeps notices out of the test's output.
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
}

SqlSession::ResultPtr SqlSession::run(const std::string& sql, const std::vector<std::string>& params) {
  std::vector<const char*> values;
  values.reserve(params.size());
  for (const auto& param : params) values.push_back(param.c_str());
  ResultPtr result(params.empty()
                       ? PQexec(connection_.get(), sql.c_str())
                       : PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()),
                                      nullptr, values.data(), nullptr, nullptr, 0),
                   &PQclear);
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    throw std::runtime_error(std::string(PQerrorMessage(connection_.get())) + "in: " + sql);
  }
  return result;
}

std::int64_t SqlSession::execute(const std::string& sql, const std::vector<std::string>& params) {
  const ResultPtr result = run(sql, params);
  const std::string touched = PQcmdTuples(result.get());
  return touched.empty() ? 0 : std::stoll(touched);
}

std::vector<SqlSession::Row> SqlSession::rows(const std::string& sql,
                                              const std::vector<std::string>& params) {
  const ResultPtr result = run(sql, params);
  std::vector<Row> rows;
  for (int i = 0; i < PQntuples(result.get()); ++i) {
    Row row;
    for (int j = 0; j < PQnfields(result.get()); ++j) {
      row.push_back(PQgetisnull(result.get(), i, j) != 0
                        ? std::nullopt
                        : std::optional<std::string>(PQgetvalue(result.get(), i, j)));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string SqlSession::value(const std::string& sql, const std::vector<std::string>& params) {
  const auto found = rows(sql, params);
  if (found.size() != 1 || found[0].size() != 1) {
    throw std::runtime_error("expected one value, got " + std::to_string(found.size()) +
                             " rows from: " + sql);
  }
  return found[0][0].value_or("NULL");
}

std::int64_t SqlSession::number(const std::string& sql, const std::vector<std::string>& params) {
  return std::stoll(value(sql, params));
}

std::string url_with(const std::string& url,
                     const std::vector<std::pair<std::string, std::string>>& keywords) {
  char* complaint = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(url.c_str(), &complaint), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> owned(complaint, &PQfreemem);
  if (!parsed) throw std::runtime_error("not a PostgreSQL connection string");
  std::map<std::string, std::string> values;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) values[option->keyword] = option->val;
  }
  for (const auto& [keyword, value] : keywords) values[keyword] = value;
  std::string text;
  for (const auto& [keyword, value] : values)
    text.append(text.empty() ? "" : " ").append(keyword + "=" + quoted(value));
  return text;
}

}  // namespace rocket::spec
