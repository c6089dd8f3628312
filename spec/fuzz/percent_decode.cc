#include <algorithm>
#include <cctype>
#include <string>

#include "api/http_text.h"
#include "api/parameters.h"
#include "spec/fuzz/property.h"

// Properties: text decodes if and only if two hexadecimal digits follow each "%". Each escape of three
// characters becomes one byte. Decoding undoes encoding.
//
// The input is the text.
namespace rocket::fuzz {
namespace {

bool is_whole(const std::string& text) {
  for (auto at = text.find('%'); at != std::string::npos; at = text.find('%', at + 3)) {
    if (at + 2 >= text.size() || std::isxdigit(static_cast<unsigned char>(text[at + 1])) == 0 ||
        std::isxdigit(static_cast<unsigned char>(text[at + 2])) == 0) {
      return false;
    }
  }
  return true;
}

std::string encoded(const std::string& text, const char* digits) {
  std::string code;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    code += '%';
    code += digits[byte / 16];
    code += digits[byte % 16];
  }
  return code;
}

void decode(const std::string& text) {
  const auto plain = api::percent_decode(text, false);
  must(plain.has_value() == is_whole(text), "two digits follow each percent sign");
  if (plain) {
    // Each escape makes the text two characters shorter.
    const auto escapes = (text.size() - plain->size()) / 2;
    must(text.size() == plain->size() + 2 * escapes && escapes <= text.size() / 3,
         "three characters become one");
    must(text.find('%') != std::string::npos || plain == text, "without an escape nothing changes");
  }
  std::string spaced = text;
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  must(api::percent_decode(text, true) == api::percent_decode(spaced, false), "in a form, plus is space");

  must(api::percent_decode(encoded(text, "0123456789abcdef"), true) == text, "what was encoded decodes");
  must(api::percent_decode(encoded(text, "0123456789ABCDEF"), false) == text, "in upper case too");
}

}  // namespace
}  // namespace rocket::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocket::fuzz::decode(rocket::fuzz::text_of(data, size));
  return 0;
}
