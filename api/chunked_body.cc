#include "api/chunked_body.h"

#include "api/http_text.h"
#include "rocket/base/text.h"

namespace rocket::api {
namespace {

// The grammar allows any number of leading zeros. Nobody needs more digits than these.
constexpr int kMaxSizeDigits = 16;

}  // namespace

ChunkedBody::Progress ChunkedBody::read(std::string_view& bytes, std::string& body) {
  while (!bytes.empty()) {
    if (state_ == State::kData) {
      const std::string_view data = bytes.substr(0, size_);
      body += data;
      bytes.remove_prefix(data.size());
      size_ -= data.size();
      if (size_ == 0) state_ = State::kDataReturn;
      continue;
    }
    const Progress progress = read_framing(bytes.front(), body.size());
    if (progress == Progress::kNeedsMore || progress == Progress::kComplete) bytes.remove_prefix(1);
    if (progress != Progress::kNeedsMore) return progress;
  }
  return Progress::kNeedsMore;
}

ChunkedBody::Progress ChunkedBody::read_framing(char byte, std::size_t decoded) {
  switch (state_) {
    case State::kSize:
      return read_size(byte, decoded);
    case State::kSpaceBeforeExtension:
    case State::kExtension:
      return read_extension(byte);
    case State::kSizeLineFeed:
      return expect(byte, '\n', size_ > 0 ? State::kData : State::kTrailerStart);
    case State::kData:
      break;
    case State::kDataReturn:
      return expect(byte, '\r', State::kDataLineFeed);
    case State::kDataLineFeed:
      size_digits_ = 0;
      return expect(byte, '\n', State::kSize);
    case State::kTrailerStart:
    case State::kTrailerName:
    case State::kTrailerValue:
    case State::kTrailerLineFeed:
      return read_trailer(byte);
    case State::kLastLineFeed:
      return byte == '\n' ? Progress::kComplete : Progress::kMalformed;
  }
  return Progress::kMalformed;
}

ChunkedBody::Progress ChunkedBody::read_size(char byte, std::size_t decoded) {
  if (const std::optional<int> digit = hex_value(byte)) {
    if (++size_digits_ > kMaxSizeDigits) return Progress::kMalformed;
    size_ = size_ * 16 + static_cast<std::size_t>(*digit);
    return size_ > max_bytes_ - decoded ? Progress::kTooLarge : Progress::kNeedsMore;
  }
  if (size_digits_ == 0) return Progress::kMalformed;
  if (byte == '\r') {
    state_ = State::kSizeLineFeed;
  } else if (byte == ';') {
    state_ = State::kExtension;
  } else if (byte == ' ' || byte == '\t') {
    // A recipient must take such a space, but only before an extension (RFC 9112, section 7.1.1).
    state_ = State::kSpaceBeforeExtension;
  } else {
    return Progress::kMalformed;
  }
  return Progress::kNeedsMore;
}

ChunkedBody::Progress ChunkedBody::read_extension(char byte) {
  if (++extension_bytes_ > kMaxExtensionBytes) return Progress::kMalformed;
  if (state_ == State::kSpaceBeforeExtension) {
    if (byte == ';') state_ = State::kExtension;
    return byte == ';' || byte == ' ' || byte == '\t' ? Progress::kNeedsMore : Progress::kMalformed;
  }
  if (byte == '\r') state_ = State::kSizeLineFeed;
  return byte == '\r' || is_field_character(byte) ? Progress::kNeedsMore : Progress::kMalformed;
}

ChunkedBody::Progress ChunkedBody::read_trailer(char byte) {
  if (state_ == State::kTrailerStart && byte == '\r') {
    state_ = State::kLastLineFeed;
    return Progress::kNeedsMore;
  }
  if (++trailer_bytes_ > kMaxTrailerBytes) return Progress::kTrailersTooLarge;
  if (state_ == State::kTrailerLineFeed) return expect(byte, '\n', State::kTrailerStart);
  if (state_ == State::kTrailerValue) {
    if (byte == '\r') state_ = State::kTrailerLineFeed;
    return byte == '\r' || is_field_character(byte) ? Progress::kNeedsMore : Progress::kMalformed;
  }
  if (state_ == State::kTrailerName && byte == ':') {
    state_ = State::kTrailerValue;
    return Progress::kNeedsMore;
  }
  state_ = State::kTrailerName;
  return is_token_character(byte) ? Progress::kNeedsMore : Progress::kMalformed;
}

ChunkedBody::Progress ChunkedBody::expect(char byte, char expected, State next) {
  if (byte != expected) return Progress::kMalformed;
  state_ = next;
  return Progress::kNeedsMore;
}

}  // namespace rocket::api
