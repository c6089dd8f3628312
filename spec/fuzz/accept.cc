#include <algorithm>
#include <string>

#include "api/failure.h"
#include "spec/fuzz/property.h"

// Properties: only a client that names application/problem+json gets it. A list asks for it if one of its
// parts does. Case and surrounding space do not matter.
//
// The input is the value of an Accept field.
namespace rocket::fuzz {
namespace {

std::string mapped(std::string text, char first, char last, int distance) {
  for (char& c : text) {
    if (c >= first && c <= last) c = static_cast<char>(c + distance);
  }
  return text;
}

void read_accept(const std::string& value) {
  const std::string lower = mapped(value, 'A', 'Z', 'a' - 'A');
  const bool accepts = api::accepts_problem(value);
  must(!accepts || lower.find("application/problem+json") != std::string::npos, "it is asked for by name");
  must(api::accepts_problem(lower) == accepts, "lower case changes nothing");
  must(api::accepts_problem(mapped(value, 'a', 'z', 'A' - 'a')) == accepts, "upper case changes nothing");
  must(api::accepts_problem(" \t" + value + "\t ") == accepts, "space changes nothing");
  must(api::accepts_problem(value + ", application/problem+json"), "what goes before it changes nothing");
  must(api::accepts_problem(value + ", text/html") == accepts, "what comes after it changes nothing");

  const auto comma = value.find(',');
  if (comma == std::string::npos) return;
  const bool any =
      api::accepts_problem(value.substr(0, comma)) || api::accepts_problem(value.substr(comma + 1));
  must(any == accepts, "a list asks for it when one of its parts does");
}

}  // namespace
}  // namespace rocket::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocket::fuzz::read_accept(rocket::fuzz::text_of(data, size));
  return 0;
}
