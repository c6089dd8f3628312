#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace spdlog {
class logger;
}

namespace rocket {

class LineWriter;
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
  requires std::is_integral_v<T> LogField(std::string_view field_name, T field_value)
      : name(field_name), value(std::to_string(field_value)), is_number(true) {}
  LogField(std::string_view field_name, double field_value)
      : name(field_name), decimal(field_value), is_number(true) {}
  LogField(std::string_view field_name, std::string_view field_value)
      : name(field_name), value(field_value) {}

  std::string_view name;
  // Empty for a decimal. A decimal is written once the format is known: with one decimal place for people
  // (text), with six for programs (JSON).
  std::string value{};
  std::optional<double> decimal{};
  bool is_number = false;
};

// Writes one line per event to standard output, as text for people or as JSON for programs. JSON has the
// event and its fields. Text has the sentence, in which {name} stands for the field of that name, and then
// the other fields. Without a sentence, text has the event in its place. A field without a name is left out.
// Names are the same everywhere: key_id user_id point attempt status duration_ms query sqlstate request_id
// trace_id. Never put credentials, card data or the text of an idempotency key into a field. Thread safe.
//
// Logging never waits for the reader of the log: see LineWriter. The last Log of a process writes the lines
// that still wait when it is destroyed, so destroy it before main() returns. Copies share one writer.
class Log {
 public:
  using Fields = std::initializer_list<LogField>;

  Log(std::string_view process, const LogOptions& options);
  // Writes nothing anywhere; for tests and tools.
  Log();

  void info(std::string_view event, Fields fields = {}, std::string_view sentence = {}) const;
  void warn(std::string_view event, Fields fields = {}, std::string_view sentence = {}) const;
  void error(std::string_view event, Fields fields = {}, std::string_view sentence = {}) const;

  // The same log, but it shows info at any level: for lines that are the purpose of a program.
  Log with_info() const;

  // Waits until all lines so far have been handed to the operating system. Returns false if that takes
  // longer.
  bool flush(std::chrono::milliseconds limit) const;
  // Lines that were dropped since the beginning, because nobody took them.
  std::uint64_t dropped() const;

  // Lets a caller skip work that only an info line would need.
  bool shows_info() const;

 private:
  void write(int level, std::string_view event, Fields fields, std::string_view sentence) const;

  // Declared first, because the logger writes to it.
  std::shared_ptr<LineWriter> writer_;
  std::shared_ptr<spdlog::logger> logger_;
  bool json_ = false;
};

}  // namespace rocket
