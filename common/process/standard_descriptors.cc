#include "rocket/process/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace rocket::process {

void open_standard_descriptors() {
  // In this order, because open() takes the lowest number that is free.
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    if (::open("/dev/null", O_RDWR) != descriptor) {  // NOLINT(android-cloexec-open)
      throw std::system_error(errno, std::generic_category(), "/dev/null");
    }
  }
}

}  // namespace rocket::process
