#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

// A target consists of this function. libFuzzer calls it with one input after another.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace rocket::fuzz {

inline std::string text_of(const std::uint8_t* data, std::size_t size) { return {data, data + size}; }

// Ends the process if the property does not hold. The fuzzer then keeps the input.
inline void must(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", property);
  std::abort();
}

}  // namespace rocket::fuzz
