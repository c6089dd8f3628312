#include "rocket/idempotency/attempt_error.h"

#include "rocket/pg/errors.h"

namespace rocket::idempotency {

bool is_in_doubt(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const pg::InDoubt&) {
    return true;
  } catch (...) {
    return false;
  }
}

bool had_no_effect(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const pg::InDoubt&) {
    return false;
  } catch (const pg::StatementFailed&) {
    return true;
  } catch (const pg::Unavailable&) {
    return true;
  } catch (...) {
    return false;
  }
}

AttemptError describe(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const pg::Unavailable& away) {
    return {RefusalKind::kDatabaseUnavailable, std::string("database unavailable: ") + away.what()};
  } catch (const pg::StatementFailed& failed) {
    return {failed.is_temporary() ? RefusalKind::kDatabaseUnavailable : RefusalKind::kInternal,
            failed.query() + " failed with SQLSTATE " + failed.sqlstate()};
  } catch (const std::exception& other) {
    return {RefusalKind::kInternal, other.what()};
  } catch (...) {
    return {RefusalKind::kInternal, "unknown exception"};
  }
}

}  // namespace rocket::idempotency
