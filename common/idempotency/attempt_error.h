#pragma once

#include <exception>
#include <string>

#include "rocket/idempotency/request.h"

// What an exception in an attempt means for its request.
namespace rocket::idempotency {

// True if a transaction may or may not have taken effect.
bool is_in_doubt(const std::exception_ptr& error);

// True if the transaction has certainly had no effect.
bool had_no_effect(const std::exception_ptr& error);

struct AttemptError {
  RefusalKind kind = RefusalKind::kInternal;
  // For the log.
  std::string text;
};
AttemptError describe(const std::exception_ptr& error);

}  // namespace rocket::idempotency
