#include "spec/support/provider/faults.h"

#include <stdexcept>

namespace rocket::spec::provider {

void Faults::plan(const Fields& fields) {
  Fault fault;
  int times = 1;
  for (const auto& [name, value] : fields) {
    if (name == "kind") {
      fault.kind = value;
    } else if (name == "charged") {
      fault.charged = value == "true";
    } else if (name == "stored") {
      fault.stored = value == "true";
    } else if (name == "status") {
      fault.status = std::stoi(value);
    } else if (name == "type") {
      fault.type = value;
    } else if (name == "delay") {
      fault.delay = std::chrono::milliseconds(std::stoi(value));
    } else if (name == "retry_after") {
      fault.retry_after = value;
    } else if (name == "should_retry") {
      fault.should_retry = value;
    } else if (name == "times") {
      times = std::stoi(value);
    } else {
      throw std::invalid_argument("a fault has no " + name);
    }
  }
  planned_.insert(planned_.end(), static_cast<std::size_t>(times), fault);
}

std::optional<Fault> Faults::next() {
  if (planned_.empty()) return std::nullopt;
  Fault fault = planned_.front();
  planned_.pop_front();
  return fault;
}

}  // namespace rocket::spec::provider
