#include "spec/fault/private_cluster.h"

#include <fcntl.h>
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
#include "spec/support/sql_session.h"

namespace rocket::spec {
namespace {

// As one word of a shell's command.
std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (const char character : text) word += character == '\'' ? "'\\''" : std::string(1, character);
  return word + "'";
}

const std::string& script() {
  static const std::string word = shell_word(SPEC_SOURCE_DIR "/bin/support/private-postgres");
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

}  // namespace

PrivateCluster::PrivateCluster(const std::vector<std::string>& settings, const Environment& environment) {
  for (const auto& [name, value] : environment) environment_ += name + "=" + shell_word(value) + " ";
  for (const std::string& setting : settings) settings_ += " " + shell_word(setting);
  make_directory();
  try {
    start();
    SqlSession(run("url", "postgres")).execute("CREATE DATABASE rides");
    url_ = run("url", "rides");
    std::ifstream file(SPEC_SOURCE_DIR "/schema.sql");
    std::ostringstream schema;
    schema << file.rdbuf();
    SqlSession(url_).execute(schema.str());
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
  // Programs that we start must not keep the other end alive.
  ::fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  life_line_ = ends[1];
  // Out of reach of whoever ends this test and its children, such as ctest when a test takes too long.
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
  // The data live for seconds: no need to reach the disk.
  if (run(command, of + " fsync=off max_connections=100 shared_buffers=64MB" + settings_).empty()) {
    throw std::runtime_error("PostgreSQL does not start in " + directory_);
  }
}

void PrivateCluster::promote() { SqlSession(url_).value("SELECT pg_promote()"); }

void PrivateCluster::crash() { run("stop", "immediate"); }

void PrivateCluster::stop() { run("stop", "fast"); }

std::string PrivateCluster::run(const std::string& command, const std::string& arguments) const {
  return shell(environment_ + script() + " " + command + " " + shell_word(directory_) + " " + arguments +
               " 2>&1 </dev/null");
}

}  // namespace rocket::spec
