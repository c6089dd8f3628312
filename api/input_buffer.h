#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace rocket::api {

// The bytes that have come on a connection and are not used yet. Bytes are added at the end and taken off the
// front; each is moved a bounded number of times, however small the pieces are. Not thread safe.
class InputBuffer {
 public:
  InputBuffer() = default;
  explicit InputBuffer(std::string_view bytes) { append(bytes); }

  void append(std::string_view bytes);
  // Takes bytes off the front; `count` is at most size().
  void drop(std::size_t count);
  void clear() { drop(size()); }

  std::string_view view() const { return {bytes_.data() + taken_, size()}; }
  std::size_t size() const { return bytes_.size() - taken_; }
  bool empty() const { return size() == 0; }
  // The memory that it holds, in bytes. An empty buffer keeps kKept at most.
  std::size_t capacity() const { return bytes_.capacity(); }

  // Room for a usual request, so that a busy connection need not allocate for each.
  static constexpr std::size_t kKept = 1024;

 private:
  void make_room(std::size_t count);

  std::vector<char> bytes_;
  // How many of these bytes have been taken off the front.
  std::size_t taken_ = 0;
};

}  // namespace rocket::api
