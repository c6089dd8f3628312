#include "rocket/http/path_pattern.h"

#include <stdexcept>
#include <utility>

namespace rocket::http {

PathPattern::PathPattern(std::string text) : text_(std::move(text)) {
  const auto must = [&](bool well_formed) {
    if (!well_formed) throw std::invalid_argument("not the pattern of a path: " + text_);
  };
  must(text_.starts_with('/'));
  std::string_view rest = text_;
  for (auto opening = rest.find('{'); opening != std::string_view::npos; opening = rest.find('{')) {
    const auto closing = rest.find('}');
    must(opening > 0 && rest[opening - 1] == '/' && closing != std::string_view::npos &&
         closing > opening + 1);
    literals_.emplace_back(rest.substr(0, opening));
    variables_.emplace_back(rest.substr(opening + 1, closing - opening - 1));
    must(variables_.back().find_first_of("{/") == std::string::npos);
    rest.remove_prefix(closing + 1);
    must(rest.empty() || rest.front() == '/');
  }
  must(rest.find('}') == std::string_view::npos);
  literals_.emplace_back(rest);
}

std::optional<std::vector<std::string_view>> PathPattern::match(std::string_view path) const {
  std::vector<std::string_view> values;
  for (std::size_t i = 0; i < literals_.size(); ++i) {
    if (!path.starts_with(literals_[i])) return std::nullopt;
    path.remove_prefix(literals_[i].size());
    if (i == variables_.size()) break;
    const std::string_view value = path.substr(0, path.find('/'));
    if (value.empty()) return std::nullopt;
    values.push_back(value);
    path.remove_prefix(value.size());
  }
  if (!path.empty()) return std::nullopt;
  return values;
}

std::string PathPattern::filled(const std::vector<std::string>& values) const {
  std::string path = literals_.front();
  for (std::size_t i = 0; i < variables_.size(); ++i) path += values.at(i) + literals_[i + 1];
  return path;
}

}  // namespace rocket::http
