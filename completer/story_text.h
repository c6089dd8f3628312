#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

// What operators read in a shell. Text that comes from elsewhere is shown without control characters, which
// could make a terminal show something else than there is.
namespace rocket::completer {

// Three lines about one parked key. `request` is as operations::list_parked() tells it, with the e-mail
// address.
std::string text_of_parked(const nlohmann::ordered_json& request);

// All about one key. `story` is as operations::find_story() tells it.
std::string text_of_story(const nlohmann::ordered_json& story);

}  // namespace rocket::completer
