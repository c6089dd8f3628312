#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace rocket {

// Bytes that nobody can guess. Thread safe. Throws std::system_error when the kernel has no entropy to give.
std::array<std::uint8_t, 16> random_bytes();

// Random UUID (RFC 9562 version 4), 36 lower-case characters. Thread safe; same errors.
std::string random_uuid();

// Time-ordered UUID (RFC 9562 version 7). Use it for primary keys: new rows then land at the right end of
// the index instead of all over it. Thread safe; same errors.
std::string time_ordered_uuid();

// True for 36 characters of the canonical 8-4-4-4-12 form, either case.
bool is_uuid(std::string_view text);

}  // namespace rocket
