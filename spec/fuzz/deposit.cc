#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "rocket/endpoints/deposits.h"
#include "spec/fuzz/body.h"

// Properties: an accepted deposit has only a whole number of dollars in range. It is the same deposit as a
// form and as JSON.
//
// The input is a Content-Type, a line feed, and a body.
namespace rocket::fuzz {
namespace {

void read_deposit(const std::string& input) {
  const std::vector<endpoints::Parameter> declared = endpoints::deposits().parameters;
  const auto deposit = read(request_of(input), declared);
  if (!deposit) return;

  const auto params = nlohmann::json::parse(*deposit, nullptr, false);
  must(params.is_object() && params.size() == 1 && params.contains("amount"), "a deposit is an amount");
  must(params.at("amount").is_number_integer(), "an amount is whole");
  const auto amount = params.at("amount").get<std::int64_t>();
  must(amount >= 1 && amount <= 100'000, "an amount is in range");

  const std::string form = "amount=" + std::to_string(amount);
  for (const api::HttpRequest& same : {request_with(kJson, *deposit), request_with(kForm, form)}) {
    must(read(same, declared) == deposit, "a deposit is the same in either form");
  }
}

}  // namespace
}  // namespace rocket::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocket::fuzz::read_deposit(rocket::fuzz::text_of(data, size));
  return 0;
}
