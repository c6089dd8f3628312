#include "completer/operator_commands.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "completer/story_text.h"
#include "rocket/base/ids.h"
#include "rocket/operations/parked_keys.h"
#include "rocket/operations/requests.h"
#include "rocket/pg/session.h"
#include "rocket/process/event_loop.h"
#include "rocket/process/host_name.h"
#include "rocket/process/operator_name.h"

namespace rocket::completer {
namespace {

using nlohmann::ordered_json;
using operations::Verdict;

constexpr std::int64_t kMaxListed = 10'000;

// A connection that is used by one statement after another.
class Database {
 public:
  explicit Database(const pg::ConnectionOptions& options) : session_(options) {}

  pg::Result run(pg::Query query) { return loop_.run(session_.run(std::move(query))); }
  std::vector<pg::Result> transact(std::vector<pg::Query> queries) {
    return loop_.run(session_.transact(std::move(queries), [](const std::vector<pg::Result>&) {}));
  }

 private:
  process::EventLoop loop_;
  pg::Session session_;
};

int fail(const std::string& sentence) {
  std::cerr << "completer: " << sentence << '\n';
  return 1;
}

int list_parked(Database& database, std::chrono::seconds lease_time, bool as_json) {
  const pg::Result parked = database.run(operations::list_parked(kMaxListed, lease_time));
  ordered_json all = ordered_json::array();
  for (int row = 0; row < parked.rows(); ++row) {
    auto request = ordered_json::parse(parked.text(row, "request"));
    request["email"] = parked.text(row, "email");
    all.push_back(std::move(request));
  }
  if (as_json) {
    std::cout << all.dump(2) << '\n';
    return 0;
  }
  for (const ordered_json& request : all) std::cout << text_of_parked(request);
  std::cout << all.size() << (parked.rows() == kMaxListed ? " or more" : "") << " parked\n";
  return 0;
}

// The id of a key, or of the key that made the ride with this id.
std::optional<std::string> key_of(Database& database, const std::string& id) {
  if (is_uuid(id)) return id;
  const pg::Result ride = database.run(operations::find_key_of_ride(id));
  if (ride.empty()) return std::nullopt;
  return std::string(ride.text(0, "key_id"));
}

int show(Database& database, const std::string& id, std::chrono::seconds lease_time, bool as_json) {
  const auto key_id = key_of(database, id);
  if (!key_id) return fail("no ride has the id " + id);
  const pg::Result found = database.run(operations::find_story(*key_id, lease_time));
  if (found.empty()) return fail("no key has the id " + id);
  const auto story = ordered_json::parse(found.text(0, "story"));
  std::cout << (as_json ? story.dump(2) + '\n' : text_of_story(story));
  return 0;
}

int carry_out(Database& database, const operations::Order& order, std::chrono::seconds lease_time,
              bool as_json) {
  const std::vector<pg::Result> results = database.transact(operations::carry_out(order, lease_time));
  const auto [verdict, story_text] = operations::read_order(order.deed, results);
  const bool is_done = verdict == Verdict::kDone || verdict == Verdict::kDoneBefore;
  const std::string sentence(operations::sentence_of(order.deed, verdict));
  if (!is_done) return fail("no parked key has the id " + order.key_id + ": " + sentence);
  const auto story = ordered_json::parse(story_text);
  if (as_json) {
    const ordered_json answer{
        {"message", sentence}, {"already", verdict == Verdict::kDoneBefore}, {"request", story}};
    std::cout << answer.dump(2) << '\n';
  } else {
    std::cout << sentence << '\n' << text_of_story(story);
  }
  return 0;
}

int run_command(const OperatorCommands& asked, const pg::ConnectionOptions& options,
                std::chrono::seconds lease_time) {
  Database database(options);
  const bool as_json = asked.format == "json";
  if (asked.list_parked) return list_parked(database, lease_time, as_json);
  if (!asked.show.empty()) return show(database, asked.show, lease_time, as_json);
  const bool closes = !asked.close.empty();
  const operations::Order order{.deed = closes ? operations::Deed::kClose : operations::Deed::kResume,
                                .key_id = closes ? asked.close : asked.resume,
                                .operator_name = process::operator_name(),
                                .note = asked.note,
                                .process = "completer",
                                .host = process::host_name()};
  return carry_out(database, order, lease_time, as_json);
}

}  // namespace

void OperatorCommands::add_to(Settings& settings) {
  settings.add("list-parked", {}, "print the keys that wait for a person, and exit", list_parked);
  settings.add("show", {}, "print all about the key with this id, or of this ride, and exit", show);
  settings.add("resume", {}, "give the parked key with this id another chance, and exit", resume);
  settings.add("close", {}, "end the parked key with this id for good, and exit; needs --note", close);
  settings.add("note", {}, "why: kept for operators, never shown to the client", note);
  settings.add("format", {}, "how these commands print", format, {"text", "json"});
  settings.require([this]() -> std::optional<std::string> {
    const std::array commands{list_parked, !show.empty(), !resume.empty(), !close.empty()};
    if (std::count(commands.begin(), commands.end(), true) > 1) return "one command of an operator at a time";
    if (!resume.empty() && !is_uuid(resume)) {
      return "--resume needs the id of a key, as --list-parked shows it";
    }
    if (!close.empty() && !is_uuid(close)) return "--close needs the id of a key, as --list-parked shows it";
    if (!show.empty() && !is_uuid(show) && !operations::Search::of(show).ride_id) {
      return "--show needs the id of a key or of a ride";
    }
    return std::nullopt;
  });
  settings.require([this]() -> std::optional<std::string> {
    if (!note.empty() && close.empty() && resume.empty()) return "--note belongs to --close or --resume";
    if ((close.empty() && note.empty()) || operations::is_note(note)) return std::nullopt;
    return "--close needs a --note that says why, in 1 to 1,000 characters";
  });
}

bool OperatorCommands::is_asked() const {
  return list_parked || !show.empty() || !resume.empty() || !close.empty();
}

int OperatorCommands::run(const pg::ConnectionOptions& options, std::chrono::seconds lease_time) const {
  const int status = run_command(*this, options, lease_time);
  // An empty list on a full disk must not look like success.
  if (!std::cout.flush()) return fail("what there is to say cannot be printed");
  return status;
}

}  // namespace rocket::completer
