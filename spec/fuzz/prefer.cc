#include <string>
#include <vector>

#include "api/preferences.h"
#include "spec/fuzz/property.h"

// Properties: a wait is of 1 to 30 seconds, and the client names it. The first preference to wait counts,
// whatever comes after it. Case and surrounding space do not matter.
//
// The input is the value of a Prefer field.
namespace rocket::fuzz {
namespace {

// In seconds; 0 if there is no such preference.
long wait_of(const std::vector<std::string>& fields) {
  api::HttpRequest request;
  for (const std::string& field : fields) request.headers.emplace_back("prefer", field);
  const auto wait = api::read_wait_preference(request);
  if (!wait) return 0;
  must(wait->count() >= 1 && *wait <= api::kMaxWait, "a wait has a length");
  return wait->count();
}

std::string mapped(std::string text, char first, char last, int distance) {
  for (char& c : text) {
    if (c >= first && c <= last) c = static_cast<char>(c + distance);
  }
  return text;
}

void read_prefer(const std::string& value) {
  const std::string lower = mapped(value, 'A', 'Z', 'a' - 'A');
  const long wait = wait_of({value});
  const bool is_named = lower.find("wait") != std::string::npos;
  must(wait == 0 || is_named, "it is named");
  must(wait_of({lower}) == wait, "lower case changes nothing");
  must(wait_of({mapped(value, 'a', 'z', 'A' - 'a')}) == wait, "upper case changes nothing");
  must(wait_of({" \t" + value + "\t "}) == wait, "space changes nothing");
  must(wait_of({"wait=7, " + value}) == 7, "what comes after it changes nothing");
  must(wait_of({"wait=7", value}) == 7, "what comes in a later field changes nothing");
  must(wait == 0 || wait_of({value, "wait=7"}) == wait, "the first one counts");
  must(is_named || wait_of({value, "wait=7"}) == 7, "others change nothing");
}

}  // namespace
}  // namespace rocket::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocket::fuzz::read_prefer(rocket::fuzz::text_of(data, size));
  return 0;
}
