#include "rocket/process/operator_name.h"

#include <pwd.h>
#include <unistd.h>

#include <array>

namespace rocket::process {

std::string operator_name() {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  ::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? found->pw_name : "uid " + std::to_string(::getuid());
}

}  // namespace rocket::process
