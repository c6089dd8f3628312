#include "rocket/base/log.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <nlohmann/json.hpp>

#include "rocket/base/line_writer.h"
#include "rocket/base/settings.h"

namespace rocket {
namespace {

// About 20,000 lines.
constexpr std::size_t kMaxWaitingBytes = 4U << 20U;

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %-7l %n: %v";
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","process":"%n",%v})";

std::string json_string(std::string_view text) {
  // Invalid UTF-8 from outside must not make us lose the line.
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    // Bytes beyond ASCII need quotes too: they may not be valid UTF-8.
    if (c <= ' ' || c == '"' || c == '=' || c == '\x7f') return true;
  }
  return false;
}

std::string text_value(const LogField& field) {
  return field.decimal ? fmt::format("{:.1f}", *field.decimal) : field.value;
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < '\x7f'; });
}

// Puts the fields into the sentence. Returns one bit for each field, set if the sentence has it.
std::uint32_t append_sentence(std::string& line, std::string_view sentence, Log::Fields fields) {
  std::uint32_t used = 0;
  for (;;) {
    const auto open = sentence.find('{');
    line += sentence.substr(0, open);
    if (open == std::string_view::npos) return used;
    const auto close = sentence.find('}', open);
    const std::string_view name = sentence.substr(open + 1, close - open - 1);
    std::uint32_t bit = 1;
    for (const LogField& field : fields) {
      if (field.name == name) {
        used |= bit;
        const std::string value = text_value(field);
        line += is_plain(value) ? value : json_string(value);
      }
      bit <<= 1U;
    }
    sentence.remove_prefix(close == std::string_view::npos ? sentence.size() : close + 1);
  }
}

std::string text_line(std::string_view event, Log::Fields fields, std::string_view sentence) {
  std::string line;
  std::uint32_t used = append_sentence(line, sentence.empty() ? event : sentence, fields);
  for (const LogField& field : fields) {
    const bool is_in_sentence = (used & 1U) != 0;
    used >>= 1U;
    if (is_in_sentence || field.name.empty()) continue;
    const std::string value = text_value(field);
    line += ' ';
    line += field.name;
    line += '=';
    line += needs_quotes(value) ? json_string(value) : value;
  }
  return line;
}

std::string json_line(std::string_view event, Log::Fields fields) {
  std::string line = "\"event\":" + json_string(event);
  for (const auto& field : fields) {
    if (field.name.empty()) continue;
    line += ",\"";
    line += field.name;
    line += "\":";
    if (field.decimal) {
      line += std::to_string(*field.decimal);
    } else {
      line += field.is_number ? field.value : json_string(field.value);
    }
  }
  return line;
}

// Formats the line on the calling thread. Another thread writes it.
class LineSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LineSink(LineWriter& writer) : writer_(writer) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    line_.clear();
    formatter_->format(message, line_);
    writer_.write({line_.data(), line_.size()});
  }
  void flush_() override {}

 private:
  LineWriter& writer_;
  spdlog::memory_buf_t line_;
};

// Formats, without a logger, the line that says how many lines are missing.
LineWriter::GapLine gap_line_of(std::string process, bool json) {
  const auto formatter = std::make_shared<spdlog::pattern_formatter>(json ? kJsonPattern : kTextPattern,
                                                                     spdlog::pattern_time_type::utc);
  return [process = std::move(process), json, formatter](std::uint64_t lines) {
    const Log::Fields fields{{"lines", lines}};
    const char* event = "log lines were dropped, because nobody took them";
    const std::string text = json ? json_line(event, fields) : text_line(event, fields, {});
    spdlog::memory_buf_t line;
    formatter->format(spdlog::details::log_msg(process, spdlog::level::warn, text), line);
    return std::string(line.data(), line.size());
  };
}

}  // namespace

void LogOptions::add_to(Settings& settings) {
  settings.add("log-level", {"LOG_LEVEL"}, "least important events to log", level, {"info", "warn", "error"});
  settings.add("log-format", {"LOG_FORMAT"}, "how a log line is written", format, {"text", "json"});
}

Log::Log(std::string_view process, const LogOptions& options)
    : writer_(std::make_shared<LineWriter>(STDOUT_FILENO, kMaxWaitingBytes,
                                           gap_line_of(std::string(process), options.format == "json"))),
      logger_(std::make_shared<spdlog::logger>(std::string(process), std::make_shared<LineSink>(*writer_))),
      json_(options.format == "json") {
  logger_->set_pattern(json_ ? kJsonPattern : kTextPattern, spdlog::pattern_time_type::utc);
  logger_->set_level(spdlog::level::from_str(options.level));
}

Log::Log() : logger_(std::make_shared<spdlog::logger>("silent")) { logger_->set_level(spdlog::level::off); }

Log Log::with_info() const {
  Log other = *this;
  other.logger_ = logger_->clone(logger_->name());
  other.logger_->set_level(spdlog::level::info);
  return other;
}

bool Log::flush(std::chrono::milliseconds limit) const { return !writer_ || writer_->flush(limit); }

std::uint64_t Log::dropped() const { return writer_ ? writer_->dropped() : 0; }

void Log::info(std::string_view event, Fields fields, std::string_view sentence) const {
  write(spdlog::level::info, event, fields, sentence);
}
void Log::warn(std::string_view event, Fields fields, std::string_view sentence) const {
  write(spdlog::level::warn, event, fields, sentence);
}
void Log::error(std::string_view event, Fields fields, std::string_view sentence) const {
  write(spdlog::level::err, event, fields, sentence);
}

bool Log::shows_info() const { return logger_->should_log(spdlog::level::info); }

void Log::write(int level, std::string_view event, Fields fields, std::string_view sentence) const {
  const auto spdlog_level = static_cast<spdlog::level::level_enum>(level);
  if (!logger_->should_log(spdlog_level)) return;
  logger_->log(spdlog_level, "{}", json_ ? json_line(event, fields) : text_line(event, fields, sentence));
}

}  // namespace rocket
