#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "rocket/endpoints/rides.h"
#include "spec/fuzz/body.h"

// Properties: an accepted ride has only four coordinates in range. Its stored params are JSON that reads back
// as exactly the same ride, so a client's retry equals the stored request. It is the same ride as a form and
// as JSON, whether or not it asks for an error.
//
// The input is a Content-Type, a line feed, and a body.
namespace rocket::fuzz {
namespace {

constexpr std::array<std::pair<const char*, double>, 4> kCoordinates{
    {{"origin_lat", 90}, {"origin_lon", 180}, {"target_lat", 90}, {"target_lon", 180}}};

std::string shortest(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

// A gateway that never charges.
class NoGateway : public payments::ChargeGateway {
 public:
  asio::awaitable<payments::ChargeResult> charge(payments::ChargeRequest) override { std::abort(); }
  asio::awaitable<payments::LookupResult> find(payments::ChargeRequest) override { std::abort(); }
  asio::awaitable<payments::RefundResult> refund(payments::RefundRequest) override { std::abort(); }
  asio::awaitable<payments::RefundLookupResult> find_refund(payments::RefundRequest) override {
    std::abort();
  }
};

const std::vector<endpoints::Parameter>& declared() {
  static NoGateway gateway;
  static const std::vector<endpoints::Parameter> parameters = endpoints::rides(gateway, {}).parameters;
  return parameters;
}

void read_ride(const std::string& input) {
  const api::HttpRequest request = request_of(input);
  const auto ride = read(request, declared());
  if (!ride) return;

  const auto params = nlohmann::json::parse(*ride, nullptr, false);
  must(params.is_object() && params.size() == kCoordinates.size(), "a ride is four coordinates");
  std::string form;
  for (const auto& [name, limit] : kCoordinates) {
    must(params.contains(name) && params.at(name).is_number(), "a coordinate is a number");
    const double value = params.at(name).get<double>();
    must(std::abs(value) <= limit, "a coordinate is in range");
    form.append(name).append("=").append(shortest(value)).append("&");
  }

  for (const api::HttpRequest& same : {request_with(kJson, *ride), request_with(kForm, form),
                                       request_with(kForm, form + "raise_error=true")}) {
    must(read(same, declared()) == ride, "a ride is the same in either form");
  }
  const auto failing = parse(request_with(kForm, form + "raise_error=true"));
  must(failing && failing->flag("raise_error") == true, "an error is asked for beside the ride");
}

}  // namespace
}  // namespace rocket::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocket::fuzz::read_ride(rocket::fuzz::text_of(data, size));
  return 0;
}
