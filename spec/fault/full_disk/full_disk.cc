// Loaded before the C library into a PostgreSQL server. Imitates a full disk: while the file FULL_DISK
// exists, a call that would lengthen a file whose path contains FULL_DISK_PART fails with ENOSPC. Overwriting
// still works. So the test needs neither root nor a real disk.

#include <dlfcn.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

bool is_full() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the server does not change its environment.
  static const char* const sign = std::getenv("FULL_DISK");
  return sign != nullptr && ::access(sign, F_OK) == 0;
}

bool is_on_it(int descriptor) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  static const char* const part = std::getenv("FULL_DISK_PART");
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  return part != nullptr && ::readlink(link.c_str(), path.data(), path.size() - 1) > 0 &&
         std::strstr(path.data(), part) != nullptr;
}

bool has_no_space(int descriptor, off_t end) {
  const int before = errno;
  struct stat file {};
  const bool refused =
      is_full() && is_on_it(descriptor) && ::fstat(descriptor, &file) == 0 && end > file.st_size;
  errno = refused ? ENOSPC : before;
  return refused;
}

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

off_t size_of(const iovec* parts, int count) {
  off_t size = 0;
  for (int i = 0; i < count; ++i) size += static_cast<off_t>(parts[i].iov_len);
  return size;
}

}  // namespace

extern "C" {

ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off64_t at) {
  static auto* const real = next<decltype(pwrite64)>("pwrite64");
  return has_no_space(descriptor, at + static_cast<off_t>(size)) ? -1 : real(descriptor, bytes, size, at);
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t at) {
  return pwrite64(descriptor, bytes, size, at);
}

ssize_t pwritev64(int descriptor, const iovec* parts, int count, off64_t at) {
  static auto* const real = next<decltype(pwritev64)>("pwritev64");
  return has_no_space(descriptor, at + size_of(parts, count)) ? -1 : real(descriptor, parts, count, at);
}

ssize_t pwritev(int descriptor, const iovec* parts, int count, off_t at) {
  return pwritev64(descriptor, parts, count, at);
}

}  // extern "C"
