#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "rocket/http/messages.h"

// Answers of Stripe, and what each of them means.
namespace rocket::payments {

inline const std::string kOurs = R"("metadata":{"ride_id":"7","charge_key":"the-charge-key"})";

inline std::string charge(const std::string& id, const std::string& status, const std::string& more) {
  return R"({"object":"charge","id":")" + id + R"(","status":")" + status + R"(",)" + more + "}";
}

inline std::string list(const std::string& charges, bool more = false) {
  return R"({"object":"list","has_more":)" + std::string(more ? "true" : "false") + R"(,"data":[)" + charges +
         "]}";
}

inline http::Answer error(int status, const std::string& type, const std::string& more = "") {
  return {status, {}, R"({"error":{"type":")" + type + R"(","message":"text")" + more + "}}"};
}

struct Case {
  std::string name;
  http::Answer answer;
  std::string means;
};
inline void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }

inline std::string name(const testing::TestParamInfo<Case>& info) { return info.param.name; }

}  // namespace rocket::payments
