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

#include "http/path_pattern.h"
#include "idempotency/flow.h"

// An endpoint that changes something says here, once, all that there is to know of it. The api makes its
// routes and checks of it, the completer finds the phases of an abandoned request in it, and the specs send
// its example.
namespace rocket::endpoints {

struct Decimal {
  double least = 0;
  double most = 0;
};
struct Integer {
  std::int64_t least = 0;
  std::int64_t most = 0;
};
// In characters of Unicode.
struct Text {
  std::size_t shortest = 0;
  std::size_t longest = 0;
};
// Missing, it is false.
struct Flag {};

// A parameter of the body. The key stores it under its name, and the phases read it from there; a number that
// is not required and not given is not there. Requests with one key must be equal in it.
struct Parameter {
  std::string name;
  std::variant<Decimal, Integer, Text, Flag> kind;
  bool required = true;
};

// A variable of the path, which is the id of something: a positive whole number. Whatever else stands there
// names nothing, and is answered with this failure.
struct Variable {
  std::string name;
  std::string_view not_found;
};

enum class KeyRule {
  kRequired,
  // Without a key, each request stands for itself.
  kOptional,
};

// A table that has a row for each key which gets so far, and never two; its idempotency_key_id names the key.
struct Effect {
  std::string table;
  // Where a foreign call moves something for this row: the columns with the key that the call carries, and
  // with the id of what was moved. No id is there twice.
  std::string call_key{};
  std::string call_id{};
};

// Where an example takes a value from: the answer to the example of another endpoint, which is sent first.
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
  // By the name of a parameter or of a variable of the path, which `parameters` need not have.
  std::map<std::string, Reference> from{};
};

struct Endpoint {
  std::string method;
  http::PathPattern path;
  std::vector<Variable> variables{};
  std::vector<Parameter> parameters{};
  KeyRule key = KeyRule::kRequired;
  // With 201, Location says this. {ride} stands for the id of "ride" in the answer, which must come first
  // there; a variable of the endpoint's path stands for itself.
  std::optional<http::PathPattern> location{};
  idempotency::Flow flow;
  // What a key may cause at most once.
  std::vector<Effect> effects{};
  Example example;
};

// All endpoints that the program knows.
class Endpoints {
 public:
  explicit Endpoints(std::vector<Endpoint> all) : all_(std::move(all)) {}

  // The one that is declared with this path. Throws std::out_of_range.
  const Endpoint& at(std::string_view method, std::string_view path) const;
  // The one that a request belongs to, or nullptr.
  const Endpoint* find(std::string_view method, std::string_view path) const;
  // All statements of all phases.
  std::vector<pg::Statement> statements() const;
  std::vector<Endpoint>::const_iterator begin() const { return all_.begin(); }
  std::vector<Endpoint>::const_iterator end() const { return all_.end(); }

 private:
  std::vector<Endpoint> all_;
};

}  // namespace rocket::endpoints
