#pragma once

#include <string>

#include "spec/support/child_process.h"

namespace rocket::spec {

// Each process has a role of its own, which may do only what the process does; see bin/support/roles.sql.

// Makes the roles, and gives them their rights in the database of this URL, which is a spec's own. Roles that
// are made have the password of the URL.
void load_roles(const std::string& url);
// The variable that this process reads before DATABASE_URL.
std::string variable_of_url(std::string process);
// The URL with the role of this process, such as "api".
std::string url_of_role(const std::string& url, const std::string& process);
// Adds the program's own variable, such as API_DATABASE_URL, if DATABASE_URL has the role that owns the
// database of a spec. Does nothing for programs that have no role. A spec that sets the variable, if only to
// nothing, chooses itself.
Environment with_role(const std::string& program, Environment environment);

}  // namespace rocket::spec
