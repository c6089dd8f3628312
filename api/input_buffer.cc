#include "api/input_buffer.h"

#include <algorithm>
#include <utility>

namespace rocket::api {
namespace {

// Doubling beyond this would hold much memory that nobody uses.
constexpr std::size_t kLargestStep = 16'384;

}  // namespace

void InputBuffer::append(std::string_view bytes) {
  if (bytes_.size() + bytes.size() > bytes_.capacity()) make_room(bytes.size());
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void InputBuffer::make_room(std::size_t count) {
  const auto first = bytes_.begin() + static_cast<std::ptrdiff_t>(taken_);
  const bool frees_more_than_it_moves = taken_ > size();
  if (frees_more_than_it_moves && size() + count <= bytes_.capacity()) {
    bytes_.erase(bytes_.begin(), first);
  } else {
    const std::size_t step = std::min(bytes_.capacity(), kLargestStep);
    std::vector<char> larger;
    larger.reserve(std::max(size() + count, bytes_.capacity() + step));
    larger.assign(first, bytes_.end());
    bytes_ = std::move(larger);
  }
  taken_ = 0;
}

void InputBuffer::drop(std::size_t count) {
  taken_ += count;
  if (!empty()) return;
  bytes_.clear();
  taken_ = 0;
  if (bytes_.capacity() > kKept) std::vector<char>().swap(bytes_);
}

}  // namespace rocket::api
