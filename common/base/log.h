#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace spdlog {
class logger;
}

namespace rocket {

class Settings;

struct LogOptions {
  std::string level = "info";
  std::string format = "text";

  // Adds --log-level and --log-format.
  void add_to(Settings& settings);
};

// One named value of a log line.
struct LogField {
  template <typename T>
  requires std::is_arithmetic_v<T> LogField(std::string_view field_name, T field_value)
      : name(field_name), value(std::to_string(field_value)), is_number(true) {}
  LogField(std::string_view field_name, std::string_view field_value)
      : name(field_name), value(field_value) {}

  std::string_view name;
  std::string value;
  bool is_number = false;
};

// One event, one line, on standard output: a sentence of few words, then fields, as text or as JSON.
// Fields are named the same everywhere: key_id user_id point attempt status duration_ms query sqlstate
// request_id. Never put credentials, card data or the text of an idempotency key into one. Thread safe.
class Log {
 public:
  using Fields = std::initializer_list<LogField>;

  Log(std::string_view process, const LogOptions& options);
  // Writes nothing anywhere; for tests and tools.
  Log();

  void info(std::string_view event, Fields fields = {}) const;
  void warn(std::string_view event, Fields fields = {}) const;
  void error(std::string_view event, Fields fields = {}) const;

  // Lets a caller skip work that only an info line would need.
  bool shows_info() const;

 private:
  void write(int level, std::string_view event, Fields fields) const;

  std::shared_ptr<spdlog::logger> logger_;
  bool json_ = false;
};

}  // namespace rocket
