#include "api/admission.h"

#include <algorithm>
#include <utility>

namespace rocket::api {
namespace {

constexpr std::size_t kMaxKnown = 8192;
constexpr std::chrono::hours kIdentifyAgain{1};

}  // namespace

Admission::Slot::Slot(Slot&& other) noexcept
    : admission_(std::exchange(other.admission_, nullptr)),
      holder_(other.holder_),
      kind_(other.kind_),
      is_waiting_(other.is_waiting_),
      should_identify_(other.should_identify_) {}

Admission::Slot::~Slot() {
  if (admission_ != nullptr) admission_->leave(*this);
}

bool Admission::Slot::begin_wait() {
  const std::lock_guard lock(admission_->mutex_);
  if (admission_->waiting_ >= admission_->share(admission_->options_.waiting_share)) return false;
  if (kind_ == Kind::kCalls) --admission_->calling_;
  ++admission_->waiting_;
  is_waiting_ = true;
  return true;
}

void Admission::Slot::end_wait() {
  const std::lock_guard lock(admission_->mutex_);
  --admission_->waiting_;
  is_waiting_ = false;
  if (kind_ == Kind::kNoCall) return;
  const bool may_call = admission_->calling_ < admission_->share(admission_->options_.provider_share);
  if (may_call) ++admission_->calling_;
  kind_ = may_call ? Kind::kCalls : Kind::kMayNotCall;
}

Admission::Admission(AdmissionOptions options, const payments::CircuitBreaker& provider)
    : options_(options), provider_(provider) {}

std::variant<Admission::Slot, Admission::Refusal> Admission::enter(const Caller& caller,
                                                                   bool calls_provider) {
  using Kind = Slot::Kind;
  const std::lock_guard lock(mutex_);
  if (in_flight_ >= static_cast<std::size_t>(options_.max_in_flight)) return Refusal::kOverloaded;
  const Known* known = find(caller.credentials);
  const auto [holder, is_new] =
      holders_.try_emplace(known != nullptr ? known->user : address_holder(caller.address), std::size_t{0});
  const auto refuse = [&, holder = holder](Refusal refusal) {
    if (holder->second == 0) holders_.erase(holder);
    return refusal;
  };

  if (holder->second >= share(known != nullptr ? options_.caller_share : options_.address_share)) {
    return refuse(Refusal::kTooManyOfOneCaller);
  }
  Kind kind = calls_provider ? Kind::kCalls : Kind::kNoCall;
  if (calls_provider && calling_ >= share(options_.provider_share)) {
    // If most of these requests do not wait for the provider, the database has too much to do. Then looking
    // for a stored answer would make it worse.
    const bool provider_is_slow = 2 * provider_.calls_in_flight() >= calling_;
    if (!provider_is_slow) return refuse(Refusal::kOverloaded);
    kind = Kind::kMayNotCall;
  }
  ++holder->second;
  ++in_flight_;
  if (kind == Kind::kCalls) ++calling_;
  const bool should_identify =
      known == nullptr || std::chrono::steady_clock::now() - known->since > kIdentifyAgain;
  return Slot(*this, *holder, kind, should_identify);
}

void Admission::leave(const Slot& slot) {
  const std::lock_guard lock(mutex_);
  --in_flight_;
  if (slot.is_waiting_) {
    --waiting_;
  } else if (slot.kind_ == Slot::Kind::kCalls) {
    --calling_;
  }
  if (--slot.holder_->second == 0) holders_.erase(slot.holder_->first);
}

void Admission::know(const std::string& credentials, const std::string& user) {
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kMaxKnown) known_before_ = std::exchange(known_, {});
  known_.insert_or_assign(credentials, Known{user, std::chrono::steady_clock::now()});
}

void Admission::forget(const std::string& credentials) {
  const std::lock_guard lock(mutex_);
  known_.erase(credentials);
  known_before_.erase(credentials);
}

const Admission::Known* Admission::find(const std::string& credentials) const {
  if (credentials.empty()) return nullptr;
  for (const KnownCredentials* each : {&known_, &known_before_}) {
    if (const auto found = each->find(credentials); found != each->end()) return &found->second;
  }
  return nullptr;
}

// At least one slot, however short the line is.
std::size_t Admission::share(std::int64_t percent) const {
  return static_cast<std::size_t>(std::max<std::int64_t>(1, options_.max_in_flight * percent / 100));
}

}  // namespace rocket::api
