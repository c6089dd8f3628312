#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/credentials.h"
#include "api/http_message.h"

namespace rocket::api {

// A file of the folder api/web, compiled into the program so that it can be run from anywhere.
struct WebFile {
  std::string_view name;
  std::string_view content;
  // SHA-256 of the content, in hex.
  std::string_view digest;
};
std::span<const WebFile> web_files();

// The pages for people, and the files that these pages need. Browsers keep them, and ask each time whether
// they have changed. Immutable, so thread safe.
class Pages {
 public:
  // Without the laboratory its page is not there, and no other page mentions it. `auth` decides how a page
  // asks who its visitor is: by a chooser of e-mail addresses, or by a token to sign in with.
  Pages(bool with_laboratory, AuthMode auth);

  // The paths of all pages, except those below /web/.
  std::vector<std::string> paths() const;

  // The answer to GET, with or without conditions, for one of these paths or for /web/NAME.
  // Returns nullopt when there is no such file.
  std::optional<HttpResponse> find(const HttpRequest& request) const;

  // The page for people with status 404.
  const HttpResponse& not_found() const { return not_found_; }

 private:
  struct Page {
    std::string path;
    std::string content;
    std::string_view content_type;
    std::string etag;
  };

  static HttpResponse answer_with(const Page& page);

  std::vector<Page> pages_;
  HttpResponse not_found_;
};

}  // namespace rocket::api
