#include "rocket/process/host_name.h"

#include <unistd.h>

#include <array>

namespace rocket::process {

std::string host_name() {
  // POSIX allows 255 characters. The last byte stays zero, because a longer name may come without one.
  std::array<char, 257> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

}  // namespace rocket::process
