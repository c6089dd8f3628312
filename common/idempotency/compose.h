#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "idempotency/flow.h"

// The text of statements: the engine's part around the bodies that phases contribute.
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
  // In this order: what bodies of phases before it made, read from the tables; then what it makes itself.
  std::vector<std::string_view> bodies{};
  // A parameter more: what a foreign call has returned, as key.recorded.
  bool is_answered = false;
  // One of the bodies has a table `refused`.
  bool may_refuse = false;
  StatementEnd end{};
};

// A set statement with the parameters ids, leases and, if it is answered, what was recorded: arrays with an
// element per key. Its rows have n, recovery_point, response_code, response_body and refusal; those of a
// statement that ends before a call also have what the call needs.
std::string compose(const StatementParts& parts);

// A set statement that claims keys; see claim() in keys.h for its parameters. A new key comes to be at
// `recovery_point`. With bodies and the needs of a call, it goes so far for new keys: their rows have what
// the call needs, and is_new.
std::string compose_claim(std::string_view recovery_point, std::span<const std::string_view> bodies = {},
                          const ForeignPhase* call = nullptr);

}  // namespace rocket::idempotency
