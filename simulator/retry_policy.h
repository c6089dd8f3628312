#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "simulator/http_client.h"

// How a well-behaved client understands an answer, and how long it waits before it asks again.
namespace rocket::simulator {

enum class Meaning {
  kFinal,    // stored on the key: every later equal request gets the same answer
  kRetry,    // the same request with the same key may succeed later
  kParked,   // waits for a person
  kRefused,  // this request will never succeed
};

Meaning meaning_of(const HttpAnswer& answer);

// Every answer of the api carries a request id. The answer of a load balancer that finds no api does not.
bool is_of_a_gateway(const HttpAnswer& answer);

// The member "code" of a failure's body; empty if there is none.
std::string code_of(const HttpAnswer& answer);

// After this many attempts, the client leaves the request to the completer.
inline constexpr int kMaxAttempts = 8;

// The pause after an attempt (1, 2, …). It doubles with each attempt and is at least what the api asked for.
// It has jitter, so that clients that failed together do not come back together.
std::chrono::milliseconds pause_after(int attempt, std::optional<std::chrono::seconds> retry_after);

}  // namespace rocket::simulator
