#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>

#include "payments/circuit_breaker.h"

namespace rocket::api {

struct AdmissionOptions {
  // Requests that may be in flight at once: the line.
  std::int64_t max_in_flight = 2048;
  // How much of the line one caller may hold, in percent; also all callers together who come from one address
  // and are not known to be users.
  std::int64_t caller_share = 25;
  std::int64_t address_share = 25;
  // How much of the line requests that call the payment provider may hold, in percent. The rest is for those
  // that do not, so that they are served while the provider is slow.
  std::int64_t provider_share = 75;
};

// Who makes a request, as far as that is known before the database is asked.
struct Caller {
  // Empty if the request has none that could belong to a user.
  std::string credentials;
  std::string address;
};

// Decides at once whether a request may be worked on. What is admitted is in flight until its answer is
// ready. Thread safe.
class Admission {
 public:
  enum class Refusal {
    // So many requests are in flight that this one would wait too long.
    kOverloaded,
    // The caller holds its share.
    kTooManyOfOneCaller,
  };

  // A slot in the line, for as long as it lives; the admission must outlive it.
  class Slot {
   public:
    Slot(Slot&& other) noexcept;
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    Slot& operator=(Slot&&) = delete;
    ~Slot();

    // The provider is slow, and requests that wait for it hold their share: this one may not call it.
    bool may_call_provider() const { return kind_ != Kind::kMayNotCall; }
    // Who holds it: a user's credentials, or an address with a space before it.
    const std::string& holder() const { return holder_->first; }
    // The credentials belonged to nobody known when the request came.
    bool is_strangers() const { return is_strangers_; }

   private:
    friend class Admission;
    enum class Kind { kNoCall, kCalls, kMayNotCall };
    using Holder = std::unordered_map<std::string, std::size_t>::value_type;
    Slot(Admission& admission, Holder& holder, Kind kind, bool is_strangers)
        : admission_(&admission), holder_(&holder), kind_(kind), is_strangers_(is_strangers) {}

    Admission* admission_;
    Holder* holder_;
    Kind kind_;
    bool is_strangers_;
  };

  // The provider must outlive the admission.
  Admission(AdmissionOptions options, const payments::CircuitBreaker& provider);

  // `calls_provider`: the request will call the payment provider, unless it is found to be answered already.
  std::variant<Slot, Refusal> enter(const Caller& caller, bool calls_provider);

  // These credentials belong to a user, who from now on has a share of their own. Remembers the latest few
  // thousand.
  void know(const std::string& credentials);

 private:
  bool is_known(const std::string& credentials);
  std::size_t share(std::int64_t percent) const;
  void leave(const Slot& slot);

  const AdmissionOptions options_;
  const payments::CircuitBreaker& provider_;

  std::mutex mutex_;
  std::size_t in_flight_ = 0;
  std::size_t calling_ = 0;
  // Callers and addresses with requests in flight, and how many.
  std::unordered_map<std::string, std::size_t> holders_;
  // Two generations: when the younger one is full, the elder one is forgotten.
  std::unordered_set<std::string> known_;
  std::unordered_set<std::string> known_before_;
};

}  // namespace rocket::api
