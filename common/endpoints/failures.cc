#include "rocket/endpoints/failures.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace rocket::endpoints {
namespace {

constexpr std::array kFailures{
    KnownFailure{"card_declined", 402, 0, "The card was declined."},
    KnownFailure{"database_unavailable", 503, 1,
                 "The service is away for a moment. Retry with the same Idempotency-Key."},
    KnownFailure{"idempotency_key_missing", 400, 0, "Send an Idempotency-Key header."},
    KnownFailure{"overloaded", 503, 1, "Too many requests are waiting. Retry."},
    KnownFailure{"payment_rejected", 503, 0,
                 "The payment provider refused this request. Please contact support."},
    KnownFailure{"payment_unavailable", 503, 1,
                 "The payment provider gave no answer. Retry with the same Idempotency-Key."},
    KnownFailure{"rate_limited", 429, 0, "You send too many requests. Send them more slowly."},
    // Not 409, which some clients repeat, and not 5xx, which most do.
    KnownFailure{
        "request_closed", 410, 0,
        "This request was ended by a person and will not go on. Do not repeat it with another key; please "
        "contact support."},
    KnownFailure{"request_in_progress", 409, 1, "A request with this Idempotency-Key is in progress."},
    KnownFailure{
        "request_parked", 409, 0,
        "This request waits for a person. Do not repeat it with another key; please contact support."},
    KnownFailure{"ride_not_charged", 409, 0, "This ride was never charged: there is nothing to refund."},
    KnownFailure{"ride_not_found", 404, 0, "You have no such ride."},
    KnownFailure{"ride_unfinished", 409, 1,
                 "The request for this ride has not ended. Retry when it has its answer."},
    KnownFailure{"too_many_declines", 429, 0,
                 "Too many of your charges were declined. No new charge is made for now."},
    KnownFailure{"too_many_failed_credentials", 429, 0,
                 "Too many credentials from your address were wrong. Retry later."},
    KnownFailure{"too_many_keys", 429, 0, "You have used too many new keys today. Retry later."},
    KnownFailure{"too_many_requests", 429, 1,
                 "You have too many requests in flight. Retry when they have their answers."},
    KnownFailure{"too_many_unfinished_keys", 429, 0,
                 "Too many of your requests are unfinished. First repeat these with their keys."},
};

std::string body_of(std::string_view code, std::string_view error, std::string_view decline_code) {
  nlohmann::ordered_json body{{"error", error}, {"code", code}};
  if (!decline_code.empty()) body["decline_code"] = decline_code;
  // Text from a provider may not be valid UTF-8.
  return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

const KnownFailure& known_failure(std::string_view code) {
  const auto found = std::find_if(kFailures.begin(), kFailures.end(),
                                  [&](const KnownFailure& each) { return each.code == code; });
  if (found == kFailures.end()) throw std::out_of_range("no failure has the code " + std::string(code));
  return *found;
}

idempotency::Response refused(std::string_view code) {
  const KnownFailure& failure = known_failure(code);
  idempotency::Response response{failure.status, body_of(code, failure.error, {})};
  if (failure.retry_after > 0) response.retry_after = failure.retry_after;
  return response;
}

idempotency::Ended ended(std::string_view code, std::string note, std::string_view error,
                         std::string_view decline_code) {
  const KnownFailure& failure = known_failure(code);
  return {failure.status, body_of(code, error.empty() ? failure.error : error, decline_code),
          std::move(note)};
}

}  // namespace rocket::endpoints
