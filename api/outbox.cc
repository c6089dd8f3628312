#include "api/outbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace rocket::api {

Outbox::Outbox() : event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (event_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Outbox::~Outbox() { ::close(event_); }

void Outbox::post(Letter letter) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    was_empty = letters_.empty();
    letters_.push_back(std::move(letter));
  }
  if (was_empty) wake();
}

void Outbox::wake() { ::eventfd_write(event_, 1); }

std::vector<Outbox::Letter> Outbox::take() {
  // Not blocking; whether there was anything to read does not matter.
  eventfd_t count = 0;
  ::eventfd_read(event_, &count);
  const std::lock_guard lock(mutex_);
  return std::exchange(letters_, {});
}

}  // namespace rocket::api
