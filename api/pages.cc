#include "api/pages.h"

#include <algorithm>
#include <array>
#include <utility>

namespace rocket::api {
namespace {

constexpr std::string_view kFolder = "/web/";

constexpr std::string_view kNotFound = "not_found.html";

// Files that have a path of their own.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kPaths{
    {{"ride.html", "/"},
     {"deposits.html", "/deposits"},
     {"api.html", "/docs/api"},
     {"idempotency.html", "/docs/idempotency"},
     {"lab.html", "/lab"},
     {"ops.html", "/ops"},
     {"openapi.yaml", "/openapi.yaml"}}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kTypes{
    {{".html", "text/html; charset=utf-8"},
     {".css", "text/css; charset=utf-8"},
     {".js", "text/javascript; charset=utf-8"},
     {".svg", "image/svg+xml"},
     {".yaml", "application/yaml"}}};

// Pages load files from this server only. Trusted Types keep scripts from turning a string into markup, even
// by mistake.
constexpr const char* kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

// The text between these two marks in a page is about the laboratory.
constexpr std::string_view kLaboratoryBegins = "<!--laboratory-->";
constexpr std::string_view kLaboratoryEnds = "<!--/laboratory-->";

std::string without_laboratory(std::string page) {
  while (true) {
    const auto begin = page.find(kLaboratoryBegins);
    const auto end = page.find(kLaboratoryEnds, begin);
    if (begin == std::string::npos || end == std::string::npos) return page;
    page.erase(begin, end + kLaboratoryEnds.size() - begin);
  }
}

// Stands where a page says who asks.
constexpr std::string_view kUserMark = "<!--user-->";

// What takes the place of the mark: parts of pages, no pages of their own.
constexpr std::string_view kChooser = "user_chooser.html";
constexpr std::string_view kSignIn = "user_sign_in.html";

const WebFile& web_file(std::string_view name) {
  const auto files = web_files();
  return *std::find_if(files.begin(), files.end(), [&](const WebFile& each) { return each.name == name; });
}

// Puts the control for who asks into a page. Returns false if the page has no place for it.
bool insert_user(std::string& page, const WebFile& control) {
  const auto mark = page.find(kUserMark);
  if (mark == std::string::npos) return false;
  page.replace(mark, kUserMark.size(), control.content);
  return true;
}

std::string path_of(std::string_view name) {
  for (const auto& [file, path] : kPaths) {
    if (file == name) return std::string(path);
  }
  return std::string(kFolder).append(name);
}

std::string_view type_of(std::string_view name) {
  for (const auto& [ending, type] : kTypes) {
    if (name.ends_with(ending)) return type;
  }
  return "text/plain; charset=utf-8";
}

// RFC 9110, section 13.1.2: a list of entity tags, or "*". Our tags hold no comma.
bool has_tag(std::string_view list, std::string_view etag) {
  while (!list.empty()) {
    const auto end = list.find(',');
    std::string_view tag = list.substr(0, end);
    list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
    while (tag.starts_with(' ') || tag.starts_with('\t')) tag.remove_prefix(1);
    while (tag.ends_with(' ') || tag.ends_with('\t')) tag.remove_suffix(1);
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == etag || tag == "*") return true;
  }
  return false;
}

}  // namespace

Pages::Pages(bool with_laboratory, AuthMode auth) {
  const WebFile& user = web_file(auth == AuthMode::kEmail ? kChooser : kSignIn);
  for (const WebFile& file : web_files()) {
    if (file.name == kChooser || file.name == kSignIn) continue;
    const std::string path = path_of(file.name);
    if (!with_laboratory && (file.name.starts_with("lab.") || file.name.starts_with("lab_"))) continue;
    std::string content(file.content);
    std::string etag = "\"" + std::string(file.digest.substr(0, 20));
    if (file.name.ends_with(".html") && insert_user(content, user))
      etag.append("-").append(user.digest.substr(0, 20));
    if (!with_laboratory && file.name.ends_with(".html")) {
      content = without_laboratory(std::move(content));
      etag += "-0";
    }
    Page page{path, std::move(content), type_of(file.name), etag + "\""};
    if (file.name == kNotFound) {
      not_found_ = answer_with(page);
      not_found_.status = 404;
      not_found_.cache_control = "no-store";
    } else {
      pages_.push_back(std::move(page));
    }
  }
}

HttpResponse Pages::answer_with(const Page& page) {
  HttpResponse response;
  response.body = page.content;
  response.content_type = page.content_type;
  response.cache_control = "no-cache";
  response.headers = {{"ETag", page.etag},
                      {"Content-Security-Policy", kContentSecurityPolicy},
                      {"Cross-Origin-Opener-Policy", "same-origin"},
                      {"Cross-Origin-Resource-Policy", "same-origin"},
                      {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"},
                      {"Referrer-Policy", "no-referrer"},
                      {"X-Frame-Options", "DENY"}};
  return response;
}

std::vector<std::string> Pages::paths() const {
  std::vector<std::string> paths;
  for (const Page& page : pages_) {
    if (!page.path.starts_with(kFolder)) paths.push_back(page.path);
  }
  return paths;
}

std::optional<HttpResponse> Pages::find(const HttpRequest& request) const {
  const auto page =
      std::find_if(pages_.begin(), pages_.end(), [&](const Page& each) { return each.path == request.path; });
  if (page == pages_.end()) return std::nullopt;
  HttpResponse response = answer_with(*page);
  if (has_tag(request.header("if-none-match").value_or(""), page->etag)) {
    response.status = 304;
    response.body.clear();
  }
  return response;
}

}  // namespace rocket::api
