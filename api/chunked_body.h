#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rocket::api {

// Decodes one chunked body (RFC 9112, section 7.1). Strict: only CRLF ends a line, only extensions may follow
// a size, and trailers must be valid fields. Extensions and trailers are checked and dropped, so a trailer
// never becomes a header. Looks at each byte once. Not thread safe.
class ChunkedBody {
 public:
  enum class Progress : std::uint8_t { kNeedsMore, kComplete, kMalformed, kTooLarge, kTrailersTooLarge };

  // The most bytes of all extensions together, and of all trailers together.
  static constexpr std::size_t kMaxExtensionBytes = 4096;
  static constexpr std::size_t kMaxTrailerBytes = 4096;

  // `max_bytes` is the largest size that the decoded body may have.
  explicit ChunkedBody(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // Takes the bytes of the body off the front of `bytes`, and appends the decoded data to `body`, which the
  // caller keeps between the calls. Call it again, with the bytes that came next, only after kNeedsMore.
  Progress read(std::string_view& bytes, std::string& body);

 private:
  enum class State : std::uint8_t {
    kSize,
    kSpaceBeforeExtension,
    kExtension,
    kSizeLineFeed,
    kData,
    kDataReturn,
    kDataLineFeed,
    kTrailerStart,
    kTrailerName,
    kTrailerValue,
    kTrailerLineFeed,
    kLastLineFeed,
  };

  Progress read_framing(char byte, std::size_t decoded);
  Progress read_size(char byte, std::size_t decoded);
  Progress read_extension(char byte);
  Progress read_trailer(char byte);
  Progress expect(char byte, char expected, State next);

  std::size_t max_bytes_;
  State state_ = State::kSize;
  // The size of the chunk. Once its data has begun: how many bytes of it are still to come.
  std::size_t size_ = 0;
  int size_digits_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
};

}  // namespace rocket::api
