#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>

#include "rocket/payments/circuit_breaker.h"

namespace rocket::api {

struct AdmissionOptions {
  // The length of the line: how many requests may be in flight at once.
  std::int64_t max_in_flight = 2048;
  // The shares of the line, in percent, that one known user may hold, and that all unknown callers from one
  // address may hold together.
  std::int64_t caller_share = 25;
  std::int64_t address_share = 25;
  // The share of the line, in percent, for requests that call the payment provider. The rest is for requests
  // that do not call it, so that they are served while the provider is slow.
  std::int64_t provider_share = 75;
  // The share of the line, in percent, for requests that wait for other attempts at their keys. It comes on
  // top of the provider's share.
  std::int64_t waiting_share = 15;
};

// Who makes a request, as far as that is known before the database is asked.
struct Caller {
  // Empty if the request has none that could belong to a user.
  std::string credentials;
  std::string address;
};

// The text that stands for an address where others stand for users. Nothing that stands for a user begins
// with a space.
inline std::string address_holder(const std::string& address) { return ' ' + address; }
inline bool is_address(std::string_view holder) { return holder.starts_with(' '); }

// Decides at once whether a request may be worked on. An admitted request is in flight until its answer is
// ready. Thread safe.
class Admission {
 public:
  enum class Refusal {
    // So many requests are in flight that this one would wait too long.
    kOverloaded,
    // The caller holds its whole share already.
    kTooManyOfOneCaller,
  };

  // A slot in the line. It is held until this object is destroyed. The admission must outlive it.
  class Slot {
   public:
    Slot(Slot&& other) noexcept;
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    Slot& operator=(Slot&&) = delete;
    ~Slot();

    // The request waits for another attempt at its key and calls nobody, until end_wait(). Returns false if
    // so many wait that it may not.
    bool begin_wait();
    // Also asks again whether it may call the provider.
    void end_wait();

    // False if the provider is slow and requests that wait for it hold their whole share already.
    bool may_call_provider() const { return kind_ != Kind::kMayNotCall; }
    // The holder of the slot: a user's id, or an address with a space before it.
    const std::string& holder() const { return holder_->first; }
    // True if nobody has told for an hour which user the credentials belong to.
    bool should_identify() const { return should_identify_; }

   private:
    friend class Admission;
    enum class Kind { kNoCall, kCalls, kMayNotCall };
    using Holder = std::unordered_map<std::string, std::size_t>::value_type;
    Slot(Admission& admission, Holder& holder, Kind kind, bool should_identify)
        : admission_(&admission), holder_(&holder), kind_(kind), should_identify_(should_identify) {}

    Admission* admission_;
    Holder* holder_;
    Kind kind_;
    bool is_waiting_ = false;
    bool should_identify_;
  };

  // The provider must outlive the admission.
  Admission(AdmissionOptions options, const payments::CircuitBreaker& provider);

  // `calls_provider`: the request will call the payment provider, unless it is found to be answered already.
  std::variant<Slot, Refusal> enter(const Caller& caller, bool calls_provider);

  // Records that these credentials belong to the user with this id. The user has a share of their own from
  // now on, whichever of their credentials a request carries. Remembers the latest few thousand credentials.
  void know(const std::string& credentials, const std::string& user);
  // These credentials are nobody's any more: they were revoked, for example.
  void forget(const std::string& credentials);

 private:
  struct Known {
    std::string user;
    std::chrono::steady_clock::time_point since;
  };
  using KnownCredentials = std::unordered_map<std::string, Known>;

  // Returns nullptr if nothing is known about the credentials.
  const Known* find(const std::string& credentials) const;
  std::size_t share(std::int64_t percent) const;
  void leave(const Slot& slot);

  const AdmissionOptions options_;
  const payments::CircuitBreaker& provider_;

  std::mutex mutex_;
  std::size_t in_flight_ = 0;
  std::size_t calling_ = 0;
  std::size_t waiting_ = 0;
  // How many requests each caller or address has in flight. Holds only those that have any.
  std::unordered_map<std::string, std::size_t> holders_;
  // Known credentials in two generations. When the younger one is full, the older one is forgotten.
  KnownCredentials known_;
  KnownCredentials known_before_;
};

}  // namespace rocket::api
