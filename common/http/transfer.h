#pragma once

#include <curl/curl.h>

#include <exception>
#include <functional>
#include <memory>
#include <variant>

#include "rocket/http/messages.h"

// A call as libcurl sees it.
namespace rocket::http {

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

using Result = std::variant<Answer, Silence>;

// One call under way.
struct Transfer {
  Call call;
  std::function<void(Result)> complete;
  std::unique_ptr<curl_slist, FreeList> headers;
  Answer answer;
  std::unique_ptr<CURL, FreeEasy> easy;
};

// Makes transfer.easy, ready to be added to a multi handle. The transfer must not move afterwards. Throws
// std::bad_alloc and std::runtime_error.
void prepare(Transfer& transfer);

// For functions that libcurl calls: an exception must not pass through libcurl.
template <typename Work, typename Value>
Value without_exception(const Work& work, Value if_it_fails) noexcept {
  try {
    return work();
  } catch (const std::exception&) {
    return if_it_fails;
  }
}

}  // namespace rocket::http
