#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "rocket/base/ids.h"
#include "spec/support/payment_provider.h"

namespace rocket::spec {

// The file MOCK_LEDGER, to which the mock providers of several processes append every call. It tells what
// happened at the provider, whatever the database says. The destructor removes the file.
class Ledger {
 public:
  struct Call {
    std::string charge_key;
    std::string customer;
    std::string cents;
    std::string ride_id;
    // A charge id, or "declined".
    std::string outcome;
  };

  Ledger() : path_(std::filesystem::path(testing::TempDir()) / ("rocket_ledger_" + random_uuid())) {}
  ~Ledger() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  std::string path() const { return path_.string(); }

  // The calls that charge, in order of arrival. Leaves out a line that is still being written.
  std::vector<Call> calls() const {
    std::ifstream file(path_);
    std::ostringstream text;
    text << file.rdbuf();
    std::vector<Call> calls;
    std::istringstream lines(text.str().substr(0, text.str().rfind('\n') + 1));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      Call call;
      words >> call.charge_key >> call.customer >> call.cents >> call.ride_id >> call.outcome;
      if (!call.cents.starts_with('-')) calls.push_back(call);
    }
    return calls;
  }

  ChargesByRide charges() const {
    ChargesByRide charges;
    for (const Call& call : calls()) {
      if (call.outcome != "declined") charges[call.ride_id].insert(call.outcome);
    }
    return charges;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace rocket::spec
