#include "api/safe_start.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "rocket/base/text.h"

namespace rocket::api {
namespace {

constexpr Danger kEmail{
    "email-credentials",
    "whoever knows an e-mail address is taken for its user, and other machines can reach this api "
    "(AUTH=token prevents it)"};
constexpr Danger kLaboratory{
    "laboratory",
    "/lab makes requests fail on demand, and other machines can reach it or real money is moved"};
constexpr Danger kMock{
    "no-real-charges",
    "the provider is the mock or has a test key, so rides are given away to whoever can reach "
    "this api"};
constexpr Danger kRoot{"root", "a mistake in this process would give the whole machine to whoever finds it"};
constexpr Danger kCoreDumps{"core-dumps",
                            "a crash would write passwords or keys to disk (ulimit -c 0 prevents it)"};
constexpr Danger kKeyFile{
    "open-key-file",
    "every user of this machine can read or write the file in STRIPE_API_KEY_FILE (chmod o-rwx)"};

constexpr Danger kMetrics{"open-metrics",
                          "metrics need no credentials, and other machines can reach them (METRICS_BIND): "
                          "whoever does sees how much "
                          "is booked, and how well the service is"};

constexpr std::array kAll{kEmail, kLaboratory, kMock, kRoot, kCoreDumps, kKeyFile, kMetrics};

std::string all_names() {
  std::string names;
  for (const Danger& each : kAll) names.append(names.empty() ? "" : ", ").append(each.name);
  return names;
}

std::vector<std::string_view> names_in(std::string_view list) {
  std::vector<std::string_view> names;
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (const auto name = trimmed(list.substr(0, comma)); !name.empty()) names.push_back(name);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return names;
}

}  // namespace

std::vector<Danger> dangers_of(const Surroundings& here) {
  std::vector<Danger> dangers;
  const auto add_if = [&](bool is_dangerous, const Danger& danger) {
    if (is_dangerous) dangers.push_back(danger);
  };
  add_if(here.is_public && here.takes_emails, kEmail);
  add_if(here.has_laboratory && (here.is_public || here.moves_money), kLaboratory);
  add_if(here.is_public && !here.moves_money, kMock);
  add_if((here.is_public || here.moves_money) && here.is_root, kRoot);
  add_if((here.is_public || here.moves_money) && here.dumps_secrets, kCoreDumps);
  add_if(here.has_open_key_file, kKeyFile);
  add_if(here.shows_metrics, kMetrics);
  return dangers;
}

std::optional<std::string> unsafe_start(const std::vector<Danger>& dangers, std::string_view allowed) {
  const std::vector<std::string_view> names = names_in(allowed);
  for (const std::string_view name : names) {
    const bool known =
        std::any_of(kAll.begin(), kAll.end(), [&](const Danger& each) { return each.name == name; });
    if (!known)
      return "API_ALLOW_UNSAFE names no danger: " + std::string(name) + " (there are: " + all_names() + ")";
  }
  std::string sentences;
  std::string list;
  for (const Danger& danger : dangers) {
    if (std::find(names.begin(), names.end(), danger.name) != names.end()) continue;
    sentences.append("\n    ").append(danger.name).append(": ").append(danger.sentence);
    list.append(list.empty() ? "" : ",").append(danger.name);
  }
  if (list.empty()) return std::nullopt;
  return "it is not safe to start like this:" + sentences +
         "\n  Change it, or allow it by name: API_ALLOW_UNSAFE=" + list;
}

bool leaves_core_dumps() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur > 0;
}

bool is_root() { return ::getuid() == 0 || ::geteuid() == 0; }

bool is_open_to_others(const std::string& file) {
  struct stat about {};
  return ::stat(file.c_str(), &about) == 0 && (about.st_mode & (S_IROTH | S_IWOTH)) != 0;
}

}  // namespace rocket::api
