#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "rocket/http/path_pattern.h"
#include "rocket/idempotency/flow.h"

// Everything about an endpoint that changes something is declared here, once. The api makes its routes and
// checks from it, the completer finds the phases of an abandoned request in it, and the specs send its
// example.
namespace rocket::endpoints {

struct Decimal {
  double least = 0;
  double most = 0;
};
struct Integer {
  std::int64_t least = 0;
  std::int64_t most = 0;
};
// The lengths count Unicode characters.
struct Text {
  std::size_t shortest = 0;
  std::size_t longest = 0;
};
// True or false. A missing flag counts as false.
struct Flag {};

// A parameter of the body. It is stored with the idempotency key under its name, and the phases read it
// there. A number that is neither required nor given is not stored. Requests with one key must have equal
// parameters.
struct Parameter {
  std::string name;
  std::variant<Decimal, Integer, Text, Flag> kind;
  bool required = true;
};

// A variable of the path. It is the id of something: a positive whole number. Any other text is answered with
// the failure `not_found`.
struct Variable {
  std::string name;
  std::string_view not_found;
};

enum class KeyRule {
  kRequired,
  // A request without a key is never the repeat of another one.
  kOptional,
};

// A table with at most one row for each key. The row appears once a request gets so far, and its column
// idempotency_key_id names the key.
struct Effect {
  std::string table;
  // Set if a foreign call moves something, such as money, for this row: the column with the key that the call
  // carries, and the column with the id of what was moved. No id occurs twice.
  std::string call_key{};
  std::string call_id{};
};

// Where an example takes a value from: the answer to the example of another endpoint. That one is sent first.
struct Reference {
  std::string method;
  std::string path;
  // A JSON pointer (RFC 6901) to a number or a text.
  std::string pointer;
};

// A request that works. The specs send it, crash it, stall it and cut it.
struct Example {
  // A JSON object.
  std::string parameters;
  // The values that come from other answers, by the name of a parameter or of a path variable. `parameters`
  // need not have these names.
  std::map<std::string, Reference> from{};
};

struct Endpoint {
  std::string method;
  http::PathPattern path;
  std::vector<Variable> variables{};
  std::vector<Parameter> parameters{};
  KeyRule key = KeyRule::kRequired;
  // Whether its foreign call, if it has one, takes money. Who has had too many charges declined may not use
  // it for some time.
  bool takes_money = true;
  // The Location header of an answer with status 201. {ride} is replaced by the id of "ride" in the answer,
  // where the id must come first. A variable of the endpoint's own path is replaced by its value in the
  // request.
  std::optional<http::PathPattern> location{};
  idempotency::Flow flow;
  // The effects that one key may have at most once.
  std::vector<Effect> effects{};
  Example example;
};

// All endpoints that the program knows.
class Endpoints {
 public:
  explicit Endpoints(std::vector<Endpoint> all) : all_(std::move(all)) {}

  // Returns the endpoint that is declared with this path. Throws std::out_of_range.
  const Endpoint& at(std::string_view method, std::string_view path) const;
  // Returns the endpoint that a request belongs to, or nullptr.
  const Endpoint* find(std::string_view method, std::string_view path) const;
  // All statements of all phases, and those that claim keys.
  std::vector<pg::Statement> statements() const;
  // The same without those that claim keys.
  std::vector<pg::Statement> statements_after_claim() const;
  std::vector<Endpoint>::const_iterator begin() const { return all_.begin(); }
  std::vector<Endpoint>::const_iterator end() const { return all_.end(); }

 private:
  std::vector<Endpoint> all_;
};

}  // namespace rocket::endpoints
