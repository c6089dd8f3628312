#pragma once

#include <chrono>
#include <string>

namespace rocket::pg {

// SQL that gives a session all the settings that our work relies on, whatever the server, the database, the
// role or PGOPTIONS say otherwise. Limits that are smaller than ours stay as they are, and so does
// search_path, which says where the tables are.
std::string session_settings(std::chrono::milliseconds transaction_timeout);

}  // namespace rocket::pg
