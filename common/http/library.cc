#include "rocket/http/library.h"

#include <curl/curl.h>

#include <stdexcept>

namespace rocket::http {

Library::Library() {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw std::runtime_error("libcurl cannot start");
}

Library::~Library() { curl_global_cleanup(); }

}  // namespace rocket::http
