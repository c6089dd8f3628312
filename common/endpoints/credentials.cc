#include "rocket/endpoints/credentials.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>

#include "rocket/base/ids.h"

namespace rocket::endpoints {
namespace {

constexpr std::string_view kPrefix = "rr_";
constexpr std::size_t kIdLength = 12;
constexpr std::size_t kSecretLength = 43;
constexpr std::size_t kCheckLength = 6;
constexpr std::size_t kCheckAt = kPrefix.size() + kIdLength + 1 + kSecretLength;
constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

using Hash = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Hash sha256(std::string_view text) {
  // Each one-shot call of OpenSSL 3 looks the algorithm up anew, which takes longer than the hash itself.
  static const std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> algorithm(
      EVP_MD_fetch(nullptr, "SHA256", nullptr), &EVP_MD_free);
  Hash hash{};
  const bool is_done =
      EVP_Digest(text.data(), text.size(), hash.data(), nullptr, algorithm.get(), nullptr) == 1;
  if (!is_done) throw std::runtime_error("OpenSSL has no SHA-256");
  return hash;
}

// The first 32 bits of the hash, to the base of 62.
std::string check_of(std::string_view text) {
  const Hash hash = sha256(text);
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8 | hash[i];
  std::string check(kCheckLength, '0');
  constexpr std::uint32_t kBase = kDigits.size();
  for (std::size_t i = kCheckLength; i-- > 0; number /= kBase) check[i] = kDigits[number % kBase];
  return check;
}

std::string random_digits(std::size_t length) {
  // Bytes above the greatest multiple of 62 would make some digits more likely than others.
  constexpr std::size_t kFair = 256 / kDigits.size() * kDigits.size();
  std::string digits;
  while (digits.size() < length) {
    for (const std::uint8_t byte : random_bytes()) {
      if (byte < kFair && digits.size() < length) digits += kDigits[byte % kDigits.size()];
    }
  }
  return digits;
}

bool is_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

bool are_digits(std::string_view text) { return std::all_of(text.begin(), text.end(), is_digit); }

std::string hex(const Hash& hash) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * hash.size());
  for (const unsigned char byte : hash) {
    text += kHexDigits[byte >> 4];
    text += kHexDigits[byte & 0x0f];
  }
  return text;
}

}  // namespace

ApiToken make_api_token() {
  ApiToken token;
  token.id = random_digits(kIdLength);
  token.text = std::string(kPrefix) + token.id + '_' + random_digits(kSecretLength);
  token.text += check_of(token.text);
  token.hash = hex(sha256(token.text));
  return token;
}

std::optional<std::string> hash_of_api_token(std::string_view text) {
  if (text.size() != kCheckAt + kCheckLength || !looks_like_api_token(text)) return std::nullopt;
  const std::string_view id = text.substr(kPrefix.size(), kIdLength);
  const std::string_view secret = text.substr(kCheckAt - kSecretLength, kSecretLength);
  if (!are_digits(id) || text[kPrefix.size() + kIdLength] != '_' || !are_digits(secret)) return std::nullopt;
  if (text.substr(kCheckAt) != check_of(text.substr(0, kCheckAt))) return std::nullopt;
  return hex(sha256(text));
}

bool looks_like_api_token(std::string_view text) { return text.starts_with(kPrefix); }

}  // namespace rocket::endpoints
