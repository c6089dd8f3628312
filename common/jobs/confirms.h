#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rocket::jobs {

// What became of the jobs of a batch.
class Confirms {
 public:
  // No job has been published yet.
  Confirms() = default;
  // The broker numbers the messages of a connection; `first` is the number of the first job.
  Confirms(std::size_t jobs, std::uint64_t first)
      : fates_(jobs, Fate::kAwaited), awaited_(jobs), first_(first) {}

  // Notes the answer to the job of this number or, if `multiple`, to all jobs up to it.
  void settle(std::uint64_t number, bool multiple, bool taken);
  // The broker took some of the jobs, and threw them away for this reason.
  void give_back(std::string why) { given_back_ = std::move(why); }

  std::size_t awaited() const { return awaited_; }
  // Whether the broker has taken responsibility for the job.
  bool has_taken(std::size_t job) const {
    return !given_back_ && job < fates_.size() && fates_[job] == Fate::kTaken;
  }
  std::size_t refused() const;
  const std::optional<std::string>& given_back() const { return given_back_; }

 private:
  enum class Fate : std::uint8_t { kAwaited, kTaken, kRefused };

  std::vector<Fate> fates_;
  std::size_t awaited_ = 0;
  std::uint64_t first_ = 1;
  // All jobs before this one are settled.
  std::size_t settled_ = 0;
  std::optional<std::string> given_back_;
};

}  // namespace rocket::jobs
