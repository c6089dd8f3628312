#include "api/response_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace rocket::api {

ResponseQueue::ResponseQueue() : event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (event_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

ResponseQueue::~ResponseQueue() { ::close(event_); }

void ResponseQueue::post(Entry entry) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    was_empty = entries_.empty();
    entries_.push_back(std::move(entry));
  }
  if (was_empty) wake();
}

void ResponseQueue::wake() { ::eventfd_write(event_, 1); }

std::vector<ResponseQueue::Entry> ResponseQueue::take() {
  // Does not block. Whether there was anything to read does not matter.
  eventfd_t count = 0;
  ::eventfd_read(event_, &count);
  const std::lock_guard lock(mutex_);
  if (!ended_.empty()) {
    for (const Entry& each : entries_) ended_.erase(each.to.serial);
  }
  return std::exchange(entries_, {});
}

void ResponseQueue::note_end(const ConnectionId& connection) {
  const std::lock_guard lock(mutex_);
  ended_.insert(connection.serial);
}

bool ResponseQueue::has_ended(const ConnectionId& connection) const {
  const std::lock_guard lock(mutex_);
  return ended_.contains(connection.serial);
}

}  // namespace rocket::api
