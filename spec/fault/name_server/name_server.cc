// Loaded before the C library into a program. Takes the place of its name servers:
// - NAME.silent.test gets no answer. A look-up writes the name to standard error when it begins, and fails
//   after a minute.
// - two.test has two addresses: 127.0.0.2, then 127.0.0.1.
// - local.test is 127.0.0.1. A look-up waits while the file exists whose name is in NAMES_WAIT_FOR.

#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
  static auto* const real = reinterpret_cast<decltype(getaddrinfo)*>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const std::string_view name = node == nullptr ? "" : node;
  if (name.ends_with(".silent.test")) {
    const std::string line = "looking up " + std::string(name) + "\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    std::this_thread::sleep_for(std::chrono::minutes(1));
    return EAI_AGAIN;
  }
  if (name == "local.test") {
    const char* const file = std::getenv("NAMES_WAIT_FOR");
    while (file != nullptr && ::access(file, F_OK) == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return real("127.0.0.1", service, hints, found);
  }
  if (name != "two.test") return real(node, service, hints, found);
  if (const int error = real("127.0.0.2", service, hints, found); error != 0) return error;
  addrinfo* last = *found;
  while (last->ai_next != nullptr) last = last->ai_next;
  return real("127.0.0.1", service, hints, &last->ai_next);
}
