#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace rocket::api {

using HashKey = std::array<std::uint64_t, 2>;

// A key that nobody can guess.
HashKey random_hash_key();

// SipHash-2-4 (Aumasson and Bernstein, 2012). Whoever does not know the key cannot find texts whose hashes
// are alike.
std::uint64_t keyed_hash(const HashKey& key, std::string_view text);

}  // namespace rocket::api
