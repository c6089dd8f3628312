#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rocket/operations/requests.h"
#include "rocket/pg/query.h"
#include "rocket/pg/result.h"

// What operators do to a parked key. The shell (`completer --resume`, `--close`) and the page /ops share it.
namespace rocket::operations {

enum class Deed {
  // Gives the key another chance, due at once.
  kResume,
  // Ends the request for good: its clients get the failure request_closed from then on.
  kClose,
};

// A deed, and who does it from where. All of it goes into the audit record and into the key's history.
struct Order {
  Deed deed = Deed::kResume;
  // A UUID.
  std::string key_id;
  std::string operator_name;
  // Why. Required to close; see is_note(). Clients never see it.
  std::string note{};
  // Who carries the order out, such as "api", and on which machine.
  std::string process{};
  std::string host{};
  // The address that the operator's request came from, if it was one.
  std::optional<std::string> origin_ip{};
};

// Whether the text can be a note: 1 to 1,000 characters of valid UTF-8, not only spaces, no control
// characters but tabs and line ends.
bool is_note(std::string_view text);

// Two queries, to be run in this order in one transaction. Only a parked key is changed. So repeating an
// order, or giving two at once, does no harm: one of them is carried out, and leaves one audit record.
std::vector<pg::Query> carry_out(const Order& order, std::chrono::seconds lease_time);

enum class Verdict {
  kDone,
  // The key is in the state already into which the order brings it.
  kDoneBefore,
  // Somebody has closed the key, so it cannot be resumed.
  kIsClosed,
  // The key is not parked, so it needs no operator.
  kIsNotParked,
  kNoSuchKey,
};

struct OrderResult {
  Verdict verdict = Verdict::kNoSuchKey;
  // The key's story after the order, as find_story() tells it. Empty if there is no such key.
  std::string story;
};

// `results` are those of carry_out().
OrderResult read_order(Deed deed, const std::vector<pg::Result>& results);

// What the result means, for people. It ends with a full stop.
std::string_view sentence_of(Deed deed, Verdict verdict);

}  // namespace rocket::operations
