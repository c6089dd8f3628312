#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "rocket/base/request_ids.h"

namespace rocket::idempotency {

// What a client asked for, already checked, in the form in which it is stored and compared.
struct Request {
  // Says whose request it is. Only the flow knows how to read it; see FlowDeclaration::owner. A key belongs
  // to its owner.
  std::string credential;
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
  // The caller that the work counts for when many callers wait; see pg::WorkQueue.
  std::string caller{};
  // What log lines and calls about the request carry. The engine adds the id of the key once it knows it. May
  // be null.
  std::shared_ptr<RequestIds> ids{};
};

// The final answer, stored on the key and given to every equal request. Or it is the refusal of a phase, in
// the words of the phase, after which the key counts as unused.
struct Response {
  int status = 0;
  // JSON.
  std::string body;
  // True if an earlier attempt produced the answer.
  bool replayed = false;
  // Only for a refusal: after how many seconds another try may get another answer.
  std::optional<std::int64_t> retry_after{};
  // False for the refusal of a phase.
  bool is_stored = true;
  // True if the key was new to this attempt, and is stored now.
  bool made_key = false;
};

// Why there is no answer to store. The key is untouched, or released at its recovery point.
enum class RefusalKind {
  kUnknownOwner,        // the credential is nobody's
  kKeyReused,           // the key was used for another request
  kInProgress,          // another attempt holds the lease
  kParked,              // waits for a person
  kForeignUnavailable,  // the foreign call gave no definite answer
  kDatabaseUnavailable,
  kInternal,
};

struct Refusal {
  RefusalKind kind = RefusalKind::kInternal;
  // True if the key was new to this attempt, and is left unfinished now. After a commit in doubt it may be.
  bool made_key = false;
  // Only for kInProgress: the id of the key, if it is known.
  std::string key_id{};
};

using Outcome = std::variant<Response, Refusal>;

}  // namespace rocket::idempotency
