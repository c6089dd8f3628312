#include "completer/story_text.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "rocket/base/text.h"

namespace rocket::completer {
namespace {

using nlohmann::ordered_json;

// The value as a terminal can show it; "-" if there is none.
std::string shown(const ordered_json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return "-";
  return printable(found->is_string() ? found->get<std::string>() : found->dump());
}

bool has(const ordered_json& object, const char* name) {
  return object.contains(name) && !object.at(name).is_null();
}

void add_line(std::string& text, std::string_view name, const std::string& value) {
  constexpr std::size_t kWidth = 11;
  text.append("  ").append(name).append(kWidth - name.size(), ' ').append(value).append("\n");
}

void add_money(std::string& text, const ordered_json& story) {
  if (has(story, "ride")) {
    const ordered_json& ride = story.at("ride");
    add_line(text, "ride", shown(ride, "id") + ", " + shown(ride, "price_cents") + " cents");
    add_line(text, "charge",
             has(ride, "charge_id") ? shown(ride, "charge_id")
                                    : "none is recorded; the provider may have one of this ride");
    add_line(text, "charge key", shown(ride, "charge_key"));
  }
  if (has(story, "refund")) {
    const ordered_json& refund = story.at("refund");
    add_line(text, "refund",
             has(refund, "refund_id") ? shown(refund, "refund_id") + " at " + shown(refund, "refunded_at")
                                      : "asked for, not certain");
    add_line(text, "refund key", shown(refund, "refund_key"));
  }
  if (has(story, "deposit_id")) add_line(text, "deposit", shown(story, "deposit_id"));
}

void add_timeline(std::string& text, const ordered_json& story) {
  text += "history\n";
  for (const ordered_json& event : story.at("timeline")) {
    text += "  " + shown(event, "at") + "  " + shown(event, "what");
    if (has(event, "point")) text += " at " + shown(event, "point");
    if (has(event, "attempt")) text += ", attempt " + shown(event, "attempt");
    if (has(event, "process")) text += ", " + shown(event, "process") + " on " + shown(event, "host");
    if (has(event, "detail")) text += ": " + shown(event, "detail");
    text += '\n';
  }
}

}  // namespace

std::string text_of_parked(const ordered_json& request) {
  return shown(request, "key_id") + "  " + shown(request, "method") + ' ' + shown(request, "path") + "  by " +
         shown(request, "email") + "\n    at " + shown(request, "point") + ", " + shown(request, "attempts") +
         " attempts, created " + shown(request, "created_at") + ", parked " + shown(request, "parked_at") +
         "\n    " + shown(request, "error") + '\n';
}

std::string text_of_story(const ordered_json& story) {
  std::string text = shown(story, "key_id") + "  " + shown(story, "method") + ' ' + shown(story, "path") +
                     "  by user " + shown(story, "user_id") + '\n';
  const bool is_held = has(story, "lease_age_s");
  const bool is_at_end = shown(story, "point") == "finished";
  add_line(text, "state",
           shown(story, "state") + (is_at_end ? "" : " at " + shown(story, "point")) +
               (is_held ? ", leased for " + shown(story, "lease_age_s") + " s" : ""));
  add_line(text, "asked", shown(story, "params"));
  add_line(text, "attempts",
           shown(story, "attempts") + ", of which " + shown(story, "completions") + " by completers");
  add_line(text, "created", shown(story, "created_at"));
  for (const auto& [name, field] : {std::pair("last run", "last_run_at"), std::pair("parked", "parked_at"),
                                    std::pair("resumed", "resumed_at"), std::pair("finished", "finished_at"),
                                    std::pair("answer", "status"), std::pair("error", "error")}) {
    if (has(story, field)) add_line(text, name, shown(story, field));
  }
  add_money(text, story);
  for (const ordered_json& job : story.at("jobs")) {
    add_line(text, "job waits",
             shown(job, "name") + ' ' + shown(job, "job_id") + " since " + shown(job, "staged_at"));
  }
  for (const ordered_json& deed : story.at("operators")) {
    add_line(text, "operator",
             shown(deed, "operator") + ": " + shown(deed, "action") + " at " + shown(deed, "at") +
                 (has(deed, "note") ? ": " + shown(deed, "note") : ""));
  }
  add_timeline(text, story);
  return text;
}

}  // namespace rocket::completer
