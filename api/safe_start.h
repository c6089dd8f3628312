#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocket::api {

// What the settings and the surroundings of an api are, as far as safety goes.
struct Surroundings {
  // Others than this machine can reach the api.
  bool is_public = false;
  bool has_laboratory = false;
  // Charges are made by the mock provider.
  bool has_mock_provider = false;
  // Charges move real money.
  bool has_real_provider = false;
  bool is_root = false;
  // The kernel would write the memory of a crashed process, with its secrets, to disk.
  bool dumps_secrets = false;
  // Others than the owner and the group may read or write the file of the provider's key.
  bool has_open_key_file = false;
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
// Whether others than the owner and the group may read or write this file. False if there is none.
bool is_open_to_others(const std::string& file);

}  // namespace rocket::api
