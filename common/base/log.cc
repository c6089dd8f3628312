#include "base/log.h"

#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "base/settings.h"

namespace rocket {
namespace {

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %-5l %n: %v";
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","process":"%n",%v})";

std::string json_string(std::string_view text) {
  // Invalid UTF-8 from a stranger must not cost us the line.
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    // Bytes beyond ASCII too: they may not be UTF-8.
    if (c <= ' ' || c == '"' || c == '=' || c == '\x7f') return true;
  }
  return false;
}

std::string text_line(std::string_view event, Log::Fields fields) {
  std::string line(event);
  for (const auto& field : fields) {
    line += ' ';
    line += field.name;
    line += '=';
    line += needs_quotes(field.value) ? json_string(field.value) : field.value;
  }
  return line;
}

std::string json_line(std::string_view event, Log::Fields fields) {
  std::string line = "\"event\":" + json_string(event);
  for (const auto& field : fields) {
    line += ",\"";
    line += field.name;
    line += "\":";
    line += field.is_number ? field.value : json_string(field.value);
  }
  return line;
}

}  // namespace

void LogOptions::add_to(Settings& settings) {
  settings.add("log-level", {"LOG_LEVEL"}, "least important events to log", level, {"info", "warn", "error"});
  settings.add("log-format", {"LOG_FORMAT"}, "how a log line is written", format, {"text", "json"});
}

Log::Log(std::string_view process, const LogOptions& options)
    : logger_(std::make_shared<spdlog::logger>(std::string(process),
                                               std::make_shared<spdlog::sinks::stdout_sink_mt>())),
      json_(options.format == "json") {
  logger_->set_pattern(json_ ? kJsonPattern : kTextPattern, spdlog::pattern_time_type::utc);
  logger_->set_level(spdlog::level::from_str(options.level));
  // A reader on the other end of a pipe sees each line when it happens.
  logger_->flush_on(spdlog::level::trace);
}

Log::Log()
    : logger_(std::make_shared<spdlog::logger>("silent", std::make_shared<spdlog::sinks::null_sink_mt>())) {
  logger_->set_level(spdlog::level::off);
}

void Log::info(std::string_view event, Fields fields) const { write(spdlog::level::info, event, fields); }
void Log::warn(std::string_view event, Fields fields) const { write(spdlog::level::warn, event, fields); }
void Log::error(std::string_view event, Fields fields) const { write(spdlog::level::err, event, fields); }

bool Log::shows_info() const { return logger_->should_log(spdlog::level::info); }

void Log::write(int level, std::string_view event, Fields fields) const {
  const auto spdlog_level = static_cast<spdlog::level::level_enum>(level);
  if (!logger_->should_log(spdlog_level)) return;
  logger_->log(spdlog_level, "{}", json_ ? json_line(event, fields) : text_line(event, fields));
}

}  // namespace rocket
