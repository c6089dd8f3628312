#include "simulator/plan.h"

#include <numeric>
#include <random>
#include <utility>

namespace rocket::simulator {
namespace {

using nlohmann::ordered_json;

struct Kind {
  Scenario scenario;
  std::string_view name;
  int percent;
};

constexpr std::array<Kind, kScenarios> kMix{{
    {Scenario::kRide, "ride", 22},
    {Scenario::kSimulatedFailure, "simulated_failure", 13},
    {Scenario::kDeclined, "declined", 10},
    {Scenario::kReplay, "replay", 14},
    {Scenario::kDuplicate, "duplicate", 12},
    {Scenario::kDeposit, "deposit", 9},
    {Scenario::kKeylessDeposit, "keyless_deposit", 5},
    {Scenario::kBadRequest, "bad_request", 4},
    {Scenario::kHangUp, "hang_up", 5},
    {Scenario::kCancellation, "cancellation", 6},
}};
static_assert(std::accumulate(kMix.begin(), kMix.end(), 0,
                              [](int sum, const Kind& kind) { return sum + kind.percent; }) == 100);

class Dice {
 public:
  Dice(std::int64_t seed, std::uint64_t number) {
    const auto halves = [](std::uint64_t value) {
      return std::pair(static_cast<std::uint32_t>(value >> 32U), static_cast<std::uint32_t>(value));
    };
    const auto [seed_high, seed_low] = halves(static_cast<std::uint64_t>(seed));
    const auto [number_high, number_low] = halves(number);
    std::seed_seq sequence{seed_high, seed_low, number_high, number_low};
    engine_.seed(sequence);
  }

  std::int64_t between(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(engine_);
  }
  bool one_in(std::int64_t chances) { return between(1, chances) == 1; }

 private:
  std::mt19937_64 engine_;
};

Scenario roll_scenario(Dice& dice) {
  std::int64_t roll = dice.between(1, 100);
  for (const Kind& kind : kMix) {
    if (roll <= kind.percent) return kind.scenario;
    roll -= kind.percent;
  }
  return Scenario::kRide;
}

bool roll_is_ride(Scenario scenario, Dice& dice) {
  switch (scenario) {
    case Scenario::kDeposit:
    case Scenario::kKeylessDeposit:
      return false;
    case Scenario::kDuplicate:
    case Scenario::kBadRequest:
    case Scenario::kHangUp:
      return !dice.one_in(4);
    default:
      return true;
  }
}

ordered_json ride_parameters(Dice& dice) {
  const auto degrees = [&](std::int64_t limit) {
    return static_cast<double>(dice.between(-limit * 100'000, limit * 100'000)) / 100'000;
  };
  ordered_json parameters;
  for (const auto& [name, limit] : {std::pair("origin_lat", 90), std::pair("origin_lon", 180),
                                    std::pair("target_lat", 90), std::pair("target_lon", 180)}) {
    parameters[name] = degrees(limit);
  }
  return parameters;
}

ordered_json spoiled_ride(ordered_json parameters, Dice& dice) {
  switch (dice.between(1, 4)) {
    case 1:
      parameters.erase("target_lon");
      break;
    case 2:
      parameters["origin_lat"] = 90.5;
      break;
    // Lenient readers, such as C's strtod, would accept these values.
    case 3:
      parameters["origin_lon"] = "0x1A";
      break;
    default:
      parameters["target_lat"] = "nan";
      break;
  }
  return parameters;
}

ordered_json spoiled_deposit(ordered_json parameters, Dice& dice) {
  switch (dice.between(1, 3)) {
    case 1:
      parameters.erase("amount");
      break;
    case 2:
      parameters["amount"] = 0;
      break;
    default:
      parameters["amount"] = "12.5";
      break;
  }
  return parameters;
}

}  // namespace

std::string_view name_of(Scenario scenario) {
  for (const Kind& kind : kMix) {
    if (kind.scenario == scenario) return kind.name;
  }
  return "unknown";
}

Plan make_plan(std::int64_t seed, std::uint64_t number, const Users& users) {
  Dice dice(seed, number);
  Plan plan;
  plan.number = number;
  plan.scenario = roll_scenario(dice);
  const auto payer = dice.between(0, static_cast<std::int64_t>(users.paying.size()) - 1);
  plan.user =
      plan.scenario == Scenario::kDeclined ? users.declined : users.paying[static_cast<std::size_t>(payer)];
  if (roll_is_ride(plan.scenario, dice)) {
    plan.path = "/rides";
    plan.parameters = ride_parameters(dice);
    plan.bad_parameters = spoiled_ride(plan.parameters, dice);
  } else {
    plan.path = "/deposits";
    plan.parameters["amount"] = dice.between(1, dice.one_in(10) ? 100'000 : 500);
    plan.bad_parameters = spoiled_deposit(plan.parameters, dice);
  }
  plan.first_encoding = dice.one_in(2) ? Encoding::kForm : Encoding::kJson;
  plan.later_encoding = dice.one_in(2) ? Encoding::kForm : Encoding::kJson;
  plan.comes_back = !dice.one_in(plan.scenario == Scenario::kHangUp ? 2 : 4);
  switch (plan.scenario) {
    case Scenario::kReplay:
    case Scenario::kDeposit:
      plan.replays = static_cast<int>(dice.between(1, 3));
      break;
    case Scenario::kDeclined:
    case Scenario::kDuplicate:
      plan.replays = static_cast<int>(dice.between(0, 1));
      break;
    case Scenario::kCancellation:
      plan.replays = static_cast<int>(dice.between(0, 2));
      plan.cancels_with_key = !dice.one_in(2);
      plan.cancels_twice_at_once = dice.one_in(3);
      break;
    default:
      break;
  }
  return plan;
}

Plan cancellation_of(const Plan& plan, const std::string& ride_id) {
  Plan cancellation = plan;
  cancellation.method = "DELETE";
  cancellation.path = "/rides/" + ride_id;
  cancellation.parameters = ordered_json::object();
  return cancellation;
}

std::string encode(const ordered_json& parameters, Encoding encoding) {
  if (encoding == Encoding::kJson) return parameters.dump();
  std::string body;
  for (const auto& [name, value] : parameters.items()) {
    if (!body.empty()) body += '&';
    body += name + '=' + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return body;
}

std::string_view media_type(Encoding encoding) {
  return encoding == Encoding::kJson ? "application/json" : "application/x-www-form-urlencoded";
}

}  // namespace rocket::simulator
