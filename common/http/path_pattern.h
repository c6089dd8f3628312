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
  // Throws std::invalid_argument if the text does not begin with "/", or if a brace does not belong to a
  // named segment.
  explicit PathPattern(std::string text);

  const std::string& text() const { return text_; }
  // The names of the variables, from left to right.
  const std::vector<std::string>& variables() const { return variables_; }
  // Returns the values of the variables as the path has them; none is empty. Returns nullopt if the path does
  // not match.
  std::optional<std::vector<std::string_view>> match(std::string_view path) const;
  // Returns the path with these values in place of the variables. Throws std::out_of_range if there are too
  // few.
  std::string filled(const std::vector<std::string>& values) const;

 private:
  std::string text_;
  std::vector<std::string> variables_;
  // The texts before, between and after the variables: one more than there are variables.
  std::vector<std::string> literals_;
};

}  // namespace rocket::http
