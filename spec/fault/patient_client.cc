#include "spec/fault/patient_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <exception>
#include <thread>

namespace rocket::spec {
namespace {

// Shorter than Retry-After asks for, to save time. That is harder for the server, not easier.
constexpr std::chrono::milliseconds kPause{30};

bool is_definite(const ClientResponse& answer) {
  return answer.status != 500 && answer.status != 503 &&
         !(answer.status == 409 && answer.code() == "request_in_progress");
}

}  // namespace

PatientClient::Outcome PatientClient::insist(const ClientRequest& request, std::chrono::milliseconds limit) {
  const auto begin = std::chrono::steady_clock::now();
  const auto passed = [&] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  };
  Outcome outcome;
  for (; passed() < limit; std::this_thread::sleep_for(kPause)) {
    ++outcome.attempts;
    const auto before = passed();
    auto answer = attempt(request);
    outcome.slowest_attempt = std::max(outcome.slowest_attempt, passed() - before);
    if (answer && is_definite(*answer)) {
      outcome.answer = std::move(*answer);
      break;
    } else {
      outcome.refusals.push_back(answer ? answer->status : 0);
      on_refusal_();
    }
  }
  outcome.duration = passed();
  return outcome;
}

std::optional<ClientResponse> PatientClient::attempt(const ClientRequest& request) {
  try {
    if (!connection_) connection_.emplace(ports_[next_++ % ports_.size()]);
    ClientResponse answer = connection_->exchange(request);
    if (answer.status == 503) {
      EXPECT_NE(answer.header("retry-after"), "") << answer.body;
    }
    if (answer.header("connection") == "close") connection_.reset();
    return answer;
  } catch (const std::exception&) {
    connection_.reset();
    return std::nullopt;
  }
}

}  // namespace rocket::spec
