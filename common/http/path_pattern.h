#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocket::http {

// A path in which whole segments may be variables, each with a name: "/rides/{ride_id}/tips". Immutable, so
// thread safe.
class PathPattern {
 public:
  // Throws std::invalid_argument: the text does not begin with "/", or a brace is not that of a named
  // segment.
  explicit PathPattern(std::string text);

  const std::string& text() const { return text_; }
  // Their names, from left to right.
  const std::vector<std::string>& variables() const { return variables_; }
  // What stands where the variables are, as it is written in the path and never empty. Nothing: the path is
  // another one.
  std::optional<std::vector<std::string_view>> match(std::string_view path) const;
  // The path that has these in place of the variables. Throws std::out_of_range if there are too few.
  std::string filled(const std::vector<std::string>& values) const;

 private:
  std::string text_;
  std::vector<std::string> variables_;
  // What stands before, between and behind the variables: one more than there are of them.
  std::vector<std::string> literals_;
};

}  // namespace rocket::http
