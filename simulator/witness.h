#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rocket/base/log.h"
#include "simulator/http_client.h"
#include "simulator/key_history.h"
#include "simulator/plan.h"

namespace rocket::simulator {

// One request of a plan, in one of several forms.
struct Attempt {
  Encoding encoding = Encoding::kForm;
  bool raise_error = false;
  // Sends the plan's bad parameters.
  bool bad = false;
  bool hang_up = false;
};

// Compares what the api answers with what it has promised, and logs every difference as an error. Thread
// safe.
class Witness {
 public:
  // `log` must outlive the witness. Keeps the latest `remembered_answers` final answers, so that they can be
  // compared with the database later.
  Witness(const Log& log, std::size_t remembered_answers);

  struct Asked {
    const Plan& plan;
    const Attempt& attempt;
    // Empty for a request without a key.
    std::string_view key;
    std::string_view request_id;
    // True if the key had its final answer before this request was sent.
    bool was_final = false;
  };
  // Returns false if the contract does not allow this answer.
  bool judge(const Asked& asked, KeyHistory& history, const HttpAnswer& answer);

  std::int64_t violations() const;
  std::vector<Acknowledged> acknowledged() const;

 private:
  using Violation = std::optional<std::string>;

  Violation judge_final(const Asked& asked, KeyHistory& history, const HttpAnswer& answer);
  Violation judge_first(const Asked& asked, const HttpAnswer& answer);
  Violation judge_cancelled(const Asked& asked, const HttpAnswer& answer);
  Violation claim_thing(const std::string& name, std::uint64_t owner);

  const Log& log_;
  const std::size_t remembered_answers_;
  mutable std::mutex mutex_;
  std::int64_t violations_ = 0;
  // Rides, charges, refunds and deposits, by name, with the number of the plan that made them.
  std::unordered_map<std::string, std::uint64_t> owners_;
  std::deque<std::string> owned_in_order_;
  std::deque<Acknowledged> acknowledged_;
};

}  // namespace rocket::simulator
