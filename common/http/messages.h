#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace rocket::http {

struct Call {
  std::string url;
  // Whole lines, "Name: value".
  std::vector<std::string> headers;
  // The method is POST if there is a body, else GET.
  std::optional<std::string> body;
  std::chrono::milliseconds connect_timeout{2000};
  // From the start of the call to the end of the answer.
  std::chrono::milliseconds timeout{10'000};
  // Certificate authorities to trust, instead of the system's.
  std::string ca_file;
};

struct Header {
  // In lower case.
  std::string name;
  std::string value;
};

struct Answer {
  int status = 0;
  std::vector<Header> headers;
  std::string body;

  // Returns the last field of this name, or nullopt if there is none.
  std::optional<std::string> header(const std::string& lower_name) const;
};

// There was no whole answer. The server may or may not have worked on the call.
struct Silence {
  std::string reason;
};

}  // namespace rocket::http
