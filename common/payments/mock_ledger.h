#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rocket::payments {

// The file in which the mock provider notes every call, a line each: charge key, customer, cents, ride id,
// charge id or "declined", "-" or "lost"; for a refund: refund key, charge id, cents below zero, ride id,
// refund id, "-" or "lost". Several processes may share it. Thread safe.
class MockLedger {
 public:
  // What the line of a declined charge has in place of an id.
  static constexpr const char* kDeclined = "declined";

  struct Entry {
    // The id of the charge or refund; nullopt if the card was declined.
    std::optional<std::string> moved;
    // Our side never got the answer.
    bool answer_lost = false;
  };

  // Makes the file if there is none. Throws std::system_error.
  explicit MockLedger(std::string path);
  ~MockLedger();
  MockLedger(const MockLedger&) = delete;
  MockLedger& operator=(const MockLedger&) = delete;

  // `call` is the line up to the last word. Throws std::system_error.
  void append(const std::string& call, bool answer_lost) const;

  // Returns the calls with this charge or refund key, oldest first. Reads only the last bytes of the file.
  static std::vector<Entry> read(const std::string& path, const std::string& key, std::int64_t last_bytes);

 private:
  std::string path_;
  int file_ = -1;
};

}  // namespace rocket::payments
