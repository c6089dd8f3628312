#include "spec/support/roles.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <optional>

#include "spec/support/paths.h"
#include "spec/support/sql_session.h"

namespace rocket::spec {
namespace {

constexpr std::array kProcesses{"api", "completer", "enqueuer", "reaper", "simulator"};

// What the connection string says for this keyword; nullopt if it says nothing, or is none.
std::optional<std::string> part_of(const std::string& url, const std::string& keyword) {
  char* complaint = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(url.c_str(), &complaint), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> owned(complaint, &PQfreemem);
  if (!parsed) return std::nullopt;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->keyword == keyword && option->val != nullptr) return option->val;
  }
  return std::nullopt;
}

bool is_of_owner(const std::string& url) {
  const auto user = part_of(url, "user");
  // The owner of a private cluster.
  if (user == "postgres") return true;
  const char* server = std::getenv("SPEC_DATABASE_URL");  // NOLINT(concurrency-mt-unsafe)
  return server != nullptr && user == part_of(server, "user") && part_of(url, "dbname").has_value();
}

}  // namespace

void load_roles(const std::string& url) {
  SqlSession session(url);
  session.rows("SELECT set_config('rocket.password', $1, false)", {part_of(url, "password").value_or("")});
  session.execute(roles());
}

std::string variable_of_url(std::string process) {
  std::transform(process.begin(), process.end(), process.begin(),
                 [](unsigned char each) { return static_cast<char>(std::toupper(each)); });
  return process + "_DATABASE_URL";
}

std::string url_of_role(const std::string& url, const std::string& process) {
  return url_with(url, {{"user", "rocket_" + process}});
}

Environment with_role(const std::string& program, Environment environment) {
  const auto url = environment.find("DATABASE_URL");
  const bool has_role = std::find(kProcesses.begin(), kProcesses.end(), program) != kProcesses.end();
  if (has_role && url != environment.end() && is_of_owner(url->second)) {
    environment.emplace(variable_of_url(program), url_of_role(url->second, program));
  }
  return environment;
}

}  // namespace rocket::spec
