#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocket::api {

// What the settings and the surroundings of an api are, as far as safety goes.
struct Surroundings {
  // Others than this machine can reach the api, directly or through a proxy, as far as the settings tell.
  bool is_public = false;
  // Whoever knows the e-mail address of a user is taken for the user (AUTH=email).
  bool takes_emails = false;
  bool has_laboratory = false;
  // Charges move real money: the provider is neither the mock nor Stripe with a test key.
  bool moves_money = false;
  bool is_root = false;
  // The kernel would write the memory of a crashed process, with its secrets, to disk.
  bool dumps_secrets = false;
  // Others than the owner and the group may read or write the file of the provider's key.
  bool has_open_key_file = false;
  // Metrics are served where other machines can reach them.
  bool shows_metrics = false;
};

struct Danger {
  // By this name, a person allows it.
  std::string_view name;
  std::string_view sentence;
};

// Returns everything that is dangerous here.
std::vector<Danger> dangers_of(const Surroundings& surroundings);

// Returns why the api must not start: all dangers but those that are allowed, a comma-separated list of
// names. Returns nullopt if it may start. An unknown name in the list is a mistake too.
std::optional<std::string> unsafe_start(const std::vector<Danger>& dangers, std::string_view allowed);

// Whether a crash of this process would leave a core dump.
bool leaves_core_dumps();
// Whether this process is root, was root, or can become root.
bool is_root();
// Whether others than the owner and the group may read or write this file. False if there is none.
bool is_open_to_others(const std::string& file);

}  // namespace rocket::api
