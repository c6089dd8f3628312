#pragma once

#include <functional>
#include <string>
#include <utility>

#include "rocket/pg/query.h"

namespace rocket::idempotency {

// A set statement that was put together at start. It stays where it is, because queries point to it.
class ComposedStatement {
 public:
  ComposedStatement(std::string name, std::string sql)
      : name_(std::move(name)),
        sql_(std::move(sql)),
        statement_(name_.c_str(), sql_.c_str(), std::hash<std::string>()(sql_)) {}
  ~ComposedStatement() = default;
  ComposedStatement(const ComposedStatement&) = delete;
  ComposedStatement& operator=(const ComposedStatement&) = delete;

  const pg::Statement& statement() const { return statement_; }

 private:
  std::string name_;
  std::string sql_;
  pg::SetStatement statement_;
};

}  // namespace rocket::idempotency
