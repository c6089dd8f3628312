#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace rocket::idempotency {

// What a client asked for, already checked, in the form in which it is stored and compared.
struct Request {
  // Who asks. A key belongs to its user.
  std::string user_email;
  // 20 to 255 printable ASCII characters.
  std::string key;
  std::string method;
  std::string path;
  // A JSON object. Two requests are the same when method, path and this object are equal (RFC 8259 values,
  // not bytes).
  std::string params;
  std::optional<std::string> origin_ip;
  // Makes this attempt fail just before its foreign call. Not part of what is stored or compared.
  bool raise_error = false;
  // Whom the work counts for where many callers wait; see pg::WorkQueue.
  std::string caller{};
};

// The final answer, as it is stored on the key and given to every equal request; or a refusal in a phase's
// own words, after which the key is as unused as before.
struct Response {
  int status = 0;
  // JSON.
  std::string body;
  // An earlier attempt produced it.
  bool replayed = false;
  // Of a refusal: after how many seconds another answer may be had.
  std::optional<std::int64_t> retry_after{};
};

// Why there is no answer to store. The key is untouched, or released at its recovery point.
enum class RefusalKind {
  kUnknownUser,
  kKeyReused,           // the key was used for another request
  kInProgress,          // another attempt holds the lease
  kParked,              // waits for a person
  kForeignUnavailable,  // the foreign call gave no definite answer
  kDatabaseUnavailable,
  kInternal,
};

struct Refusal {
  RefusalKind kind = RefusalKind::kInternal;
};

using Outcome = std::variant<Response, Refusal>;

}  // namespace rocket::idempotency
