#include "spec/support/api_process.h"

#include <stdexcept>

#include "spec/support/paths.h"
#include "spec/support/roles.h"

namespace rocket::spec {
namespace {

Environment complete(Environment environment, const std::string& database_url) {
  environment.emplace("DATABASE_URL", database_url);
  environment.emplace("API_PORT", "0");
  environment.emplace("AUTH", "email");
  for (const char* limit : {"API_REQUESTS_PER_S", "API_FAILED_CREDENTIALS_PER_MIN", "API_DECLINES_PER_H",
                            "API_UNFINISHED_KEYS_PER_H", "API_KEYS_PER_DAY"}) {
    environment.emplace(limit, "0");
  }
  environment.emplace("API_ALLOW_UNSAFE", "email-credentials,laboratory,no-real-charges,root,core-dumps");
  return environment;
}

}  // namespace

ApiProcess::ApiProcess(const TestDatabase& database, const Environment& environment,
                       const std::vector<std::string>& flags)
    : ApiProcess(database.url(), environment, flags) {}

ApiProcess::ApiProcess(const std::string& database_url, const Environment& environment,
                       const std::vector<std::string>& flags)
    : process_("api", complete(environment, database_url), flags), port_(port_of_its_log()) {}

ApiProcess::ApiProcess(const TestDatabase& database, const Environment& environment, OpenFiles files)
    : process_("/bin/sh", with_role("api", complete(environment, database.url())),
               {"-c", "ulimit -n " + std::to_string(files.limit) + " && exec " + program("api")}),
      port_(port_of_its_log()) {}

std::uint16_t ApiProcess::port_of_its_log() const {
  // As text "listening address=127.0.0.1 port=5000", as JSON "…"listening",…,"port":5000}".
  const std::string line = process_.wait_for_line("listening");
  const auto digits = line.find_first_of("0123456789", line.rfind("port"));
  if (digits == std::string::npos) throw std::runtime_error("no port in: " + line);
  return static_cast<std::uint16_t>(std::stoi(line.substr(digits)));
}

}  // namespace rocket::spec
