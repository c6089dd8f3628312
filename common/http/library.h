#pragma once

namespace rocket::http {

// What libcurl needs once per process. Make one before the first thread starts.
class Library {
 public:
  // Throws std::runtime_error.
  Library();
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
};

}  // namespace rocket::http
