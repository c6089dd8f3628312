#include "spec/fault/private_cluster.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "spec/support/eventually.h"
#include "spec/support/paths.h"
#include "spec/support/roles.h"
#include "spec/support/sql_session.h"

namespace rocket::spec {
namespace {

// Quotes the text as one word of a shell command.
std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (const char character : text) word += character == '\'' ? "'\\''" : std::string(1, character);
  return word + "'";
}

const std::string& script() {
  static const std::string word = shell_word(source_dir() + "/bin/support/private-postgres");
  return word;
}

std::string shell(const std::string& command) {
  const std::unique_ptr<FILE, decltype(&pclose)> pipe(::popen(command.c_str(), "re"), &pclose);
  if (!pipe) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 512> bytes{};
  while (std::fgets(bytes.data(), static_cast<int>(bytes.size()), pipe.get()) != nullptr) {
    output += bytes.data();
  }
  while (!output.empty() && output.back() == '\n') output.pop_back();
  return output;
}

std::string run_script(const std::string& command, const std::string& directory, const std::string& arguments,
                       const std::string& environment = {}) {
  return shell(environment + script() + " " + command + " " + shell_word(directory) + " " + arguments +
               " 2>&1 </dev/null");
}

// Makes the database in the server of this directory, which must be running.
void make_database(const std::string& directory) {
  SqlSession(run_script("url", directory, "postgres")).execute("CREATE DATABASE rides");
  const std::string url = run_script("url", directory, "rides");
  SqlSession(url).execute(schema());
  load_roles(url);
}

// The directory of a stopped server that has this database. Tests copy it, because making one takes seconds
// of processor time. The first test that needs it makes it. Empty if SPEC_CLUSTER_TEMPLATE is not set.
std::string original() {
  const char* given = std::getenv("SPEC_CLUSTER_TEMPLATE");  // NOLINT(concurrency-mt-unsafe)
  if (given == nullptr || *given == '\0') return {};
  const std::string directory = given;
  const int lock = ::open((directory + ".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (lock < 0 || ::flock(lock, LOCK_EX) != 0) throw std::runtime_error("cannot lock " + directory);
  const std::filesystem::path sign = directory + ".complete";
  if (!std::filesystem::exists(sign)) {
    run_script("remove", directory, "");
    run_script("start", directory, "fsync=off shared_buffers=64MB");
    make_database(directory);
    run_script("stop", directory, "fast");
    const std::ofstream complete(sign);
  }
  ::close(lock);
  return directory;
}

}  // namespace

PrivateCluster::PrivateCluster(const std::vector<std::string>& settings, const Environment& environment) {
  for (const auto& [name, value] : environment) environment_ += name + "=" + shell_word(value) + " ";
  for (const std::string& setting : settings) settings_ += " " + shell_word(setting);
  make_directory();
  try {
    if (const std::string copied = original(); !copied.empty()) {
      start("copy", shell_word(copied));
    } else {
      start();
      make_database(directory_);
    }
    url_ = run("url", "rides");
  } catch (...) {
    ::close(life_line_);
    throw;
  }
}

PrivateCluster::PrivateCluster(ReplicaOf of) {
  make_directory();
  try {
    start("replicate", shell_word(of.primary.directory_));
    url_ = run("url", "rides");
  } catch (...) {
    ::close(life_line_);
    throw;
  }
}

void PrivateCluster::make_directory() {
  std::string directory = (std::filesystem::temp_directory_path() / "rocket_cluster_XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) throw std::runtime_error("cannot make " + directory);
  directory_ = directory;

  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::runtime_error("no pipe");
  // Programs that we start must not keep this end of the pipe open.
  ::fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  life_line_ = ends[1];
  // In its own session, so that it survives when ctest kills this test and its children, for example at a
  // time-out.
  shell("setsid -f sh -c 'read -r line; exec \"$1\" remove \"$2\"' sh " + script() + " " +
        shell_word(directory_) + " <&" + std::to_string(ends[0]) + " >/dev/null 2>&1");
  ::close(ends[0]);
}

PrivateCluster::~PrivateCluster() {
  ::close(life_line_);
  eventually([&] { return !std::filesystem::exists(directory_); });
}

std::string PrivateCluster::address() const {
  const auto begin = url_.find('@') + 1;
  return url_.substr(begin, url_.rfind('/') - begin);
}

void PrivateCluster::start() { start("start", ""); }

void PrivateCluster::start(const std::string& command, const std::string& of) {
  // The data live for seconds only, so they need not reach the disk.
  if (run(command, of + " fsync=off max_connections=100 shared_buffers=64MB" + settings_).empty()) {
    throw std::runtime_error("PostgreSQL does not start in " + directory_);
  }
}

void PrivateCluster::promote() { SqlSession(url_).value("SELECT pg_promote()"); }

void PrivateCluster::crash() { run("stop", "immediate"); }

void PrivateCluster::stop() { run("stop", "fast"); }

std::string PrivateCluster::run(const std::string& command, const std::string& arguments) const {
  return run_script(command, directory_, arguments, environment_);
}

}  // namespace rocket::spec
