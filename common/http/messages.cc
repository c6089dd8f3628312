#include "rocket/http/messages.h"

namespace rocket::http {

std::optional<std::string> Answer::header(const std::string& lower_name) const {
  std::optional<std::string> value;
  for (const Header& each : headers) {
    if (each.name == lower_name) value = each.value;
  }
  return value;
}

}  // namespace rocket::http
