#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "simulator/users.h"

namespace rocket::simulator {

enum class Scenario {
  kRide,              // succeeds at once
  kSimulatedFailure,  // raise_error, then perhaps a retry
  kDeclined,          // a card that is declined
  kReplay,            // the client asks again after its answer
  kDuplicate,         // two equal requests at the same moment
  kDeposit,           // with a key, and sent again
  kKeylessDeposit,    // without a key, sent once
  kBadRequest,        // a wrong parameter, then perhaps the right one
  kHangUp,            // the client goes away right after sending
  kCancellation,      // a ride that is cancelled after its answer
};
inline constexpr std::size_t kScenarios = 10;
inline constexpr std::array<Scenario, kScenarios> kAllScenarios{
    Scenario::kRide,      Scenario::kSimulatedFailure, Scenario::kDeclined,       Scenario::kReplay,
    Scenario::kDuplicate, Scenario::kDeposit,          Scenario::kKeylessDeposit, Scenario::kBadRequest,
    Scenario::kHangUp,    Scenario::kCancellation};

// The name of the scenario in logs.
std::string_view name_of(Scenario scenario);

enum class Encoding { kForm, kJson };

// What one client is going to do, apart from the text of its key.
struct Plan {
  // Unique in this run.
  std::uint64_t number = 0;
  Scenario scenario = Scenario::kRide;
  User user;
  std::string method = "POST";
  // "/rides", "/deposits", or the path of one ride.
  std::string path;
  nlohmann::ordered_json parameters;
  // For kBadRequest: the parameters that are sent first.
  nlohmann::ordered_json bad_parameters;
  Encoding first_encoding = Encoding::kForm;
  // The encoding of retries: the same request may come in the other encoding.
  Encoding later_encoding = Encoding::kForm;
  // After a failure or hang-up: whether the client tries again, or leaves the rest to the completer.
  bool comes_back = true;
  // How often the client asks again after its final answer.
  int replays = 0;
  // For kCancellation: whether the cancellation has a key, and whether a second one is sent at the same time.
  bool cancels_with_key = true;
  bool cancels_twice_at_once = false;

  bool is_ride() const { return path == "/rides"; }
  bool is_cancellation() const { return method == "DELETE"; }
};

// The same arguments give the same plan, so that a run can be repeated.
Plan make_plan(std::int64_t seed, std::uint64_t number, const Users& users);

// For kCancellation: the plan that cancels the ride, once an answer has given its id.
Plan cancellation_of(const Plan& plan, const std::string& ride_id);

// Encodes parameters as a body. They must be numbers, booleans or texts without special characters.
std::string encode(const nlohmann::ordered_json& parameters, Encoding encoding);
std::string_view media_type(Encoding encoding);

}  // namespace rocket::simulator
