#include "spec/support/pg_bouncer.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <stdexcept>
#include <vector>

#include "rocket/pg/connection_string.h"

namespace rocket::spec {

PgBouncer::PgBouncer(const std::string& pool_mode, const std::string& settings) : settings_(settings) {
  std::string directory = (std::filesystem::temp_directory_path() / "rocket_pgbouncer_XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) throw std::runtime_error("cannot make " + directory);
  directory_ = directory;
  // Readable for all, because PgBouncer may run as another user.
  std::filesystem::permissions(directory_, std::filesystem::perms(0755));
  // Below the range of ports that the kernel gives to sockets that ask for any port.
  std::uniform_int_distribution<std::uint16_t> any_port(20'000, 32'000);
  std::random_device random;
  for (int i = 0; i < 20; ++i) {
    port_ = any_port(random);
    write_settings(pool_mode);
    if (try_to_start()) return;
  }
  const std::string output = process_->output();
  std::filesystem::remove_all(directory_);
  throw std::runtime_error("pgbouncer does not start:\n" + output);
}

PgBouncer::~PgBouncer() {
  process_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string PgBouncer::url(const TestDatabase& database) const {
  return url_with(database.url(), {{"host", "127.0.0.1"}, {"port", std::to_string(port_)}});
}

void PgBouncer::change_pool_mode(const std::string& pool_mode) {
  write_settings(pool_mode);
  process_->kill(SIGHUP);
  process_->wait_for_line("re-reading config");
}

void PgBouncer::write_settings(const std::string& pool_mode) const {
  std::ofstream file(directory_ / "pgbouncer.ini");
  file << "[databases]\n*";
  const pg::Keywords server = pg::servers_in(maintenance_url()).front();
  file << " =";
  for (const char* keyword : {"host", "port"}) {
    if (server.contains(keyword)) file << ' ' << keyword << "='" << server.at(keyword) << "'";
  }
  // Each role logs in at the server as itself.
  std::ofstream users(directory_ / "users.txt");
  const std::string password = server.contains("password") ? server.at("password") : "";
  for (const char* process : {"api", "completer", "enqueuer", "reaper"}) {
    users << "\"rocket_" << process << "\" \"" << password << "\"\n";
  }
  file << "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = " << port_
       << "\nunix_socket_dir =\nauth_type = trust\nauth_file = " << (directory_ / "users.txt").string()
       << "\npool_mode = " << pool_mode << '\n'
       << settings_ << '\n';
}

bool PgBouncer::try_to_start() {
  std::vector<std::string> flags{directory_ / "pgbouncer.ini"};
  // PgBouncer refuses to run as root. The user postgres may use the server's socket.
  if (::geteuid() == 0) flags.insert(flags.end(), {"-u", "postgres"});
  process_.emplace("/usr/sbin/pgbouncer", Environment{}, flags);
  try {
    process_->wait_for_line("process up");
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

}  // namespace rocket::spec
