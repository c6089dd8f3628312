#include <cstdlib>

#include "api/queries.h"
#include "idempotency/engine.h"

// Where a checked request goes next. No target goes there; without these, all that talks to the database
// would have to be linked with the checks.
namespace rocket {

asio::awaitable<bool> api::user_exists(pg::Lane& /*lane*/, const std::string& /*email*/) { std::abort(); }

asio::awaitable<idempotency::Outcome> idempotency::Engine::run(pg::Lane& /*lane*/, const Flow& /*flow*/,
                                                               Request /*request*/) const {
  std::abort();
}

}  // namespace rocket
