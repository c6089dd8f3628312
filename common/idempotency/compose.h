#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "rocket/idempotency/flow.h"

// Composes the text of statements: the engine adds its part to the bodies that phases contribute.
namespace rocket::idempotency {

// How a statement ends.
struct UntilFinished {
  const FinalAnswer* answer = nullptr;
};
struct UntilCall {
  std::string_view recovery_point;
  const ForeignPhase* call;
};
struct UntilPoint {
  std::string_view recovery_point;
};
using StatementEnd = std::variant<UntilFinished, UntilCall, UntilPoint>;

struct StatementParts {
  // Where the keys stand.
  std::string_view recovery_point;
  // First what earlier phases made, read from the tables. Then what this statement makes.
  std::vector<std::string_view> bodies{};
  // The statement has one more parameter: what the foreign call returned. Bodies read it as key.recorded.
  bool is_answered = false;
  // One of the bodies has a table `refused`.
  bool may_refuse = false;
  StatementEnd end{};
};

// Returns the text of a set statement. Its parameters are the ids and leases of the keys and, if
// `is_answered`, what the calls returned. Its rows have n, recovery_point, response_code, response_body and
// refusal. If it ends before a call, they also have what the call needs.
std::string compose(const StatementParts& parts);

// Returns the text of a set statement that claims keys; see claim() in keys.h for its parameters. `owner` is
// FlowDeclaration::owner. The statement inserts new keys at `recovery_point`. If there is a call, the bodies
// run for the new keys, and the rows of new keys have is_new and what the call needs.
std::string compose_claim(std::string_view owner, std::string_view recovery_point,
                          std::span<const std::string_view> bodies = {}, const ForeignPhase* call = nullptr);

}  // namespace rocket::idempotency
