#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "simulator/http_client.h"

// What a client that behaves makes of an answer, and how long it waits before it asks again.
namespace rocket::simulator {

enum class Meaning {
  kFinal,    // stored on the key: every later equal request gets the same
  kRetry,    // the same request with the same key may succeed later
  kParked,   // waits for a person
  kRefused,  // this request will never succeed
};

Meaning meaning_of(const HttpAnswer& answer);

// Every answer of the api's carries a request id. A load balancer's own, when it finds no api, does not.
bool is_of_a_gateway(const HttpAnswer& answer);

// The member "code" of a failure's body; empty without one.
std::string code_of(const HttpAnswer& answer);

// After this many attempts the rest is left to the completer.
inline constexpr int kMaxAttempts = 8;

// The pause behind an attempt (1, 2, …): at least what the api asked for, doubling, with jitter, so that
// clients who failed together do not come back together.
std::chrono::milliseconds pause_after(int attempt, std::optional<std::chrono::seconds> retry_after);

}  // namespace rocket::simulator
