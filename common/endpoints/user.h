#pragma once

namespace rocket::endpoints {

// Finds the user who asks; see idempotency::FlowDeclaration::owner. The credential is an e-mail address.
inline constexpr const char* kUserOfCredential = "SELECT id FROM users WHERE email = asked.credential";

}  // namespace rocket::endpoints
