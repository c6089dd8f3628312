#include "spec/support/front_proxy.h"

#include <cstdlib>
#include <fstream>
#include <random>
#include <stdexcept>
#include <vector>

#include "spec/support/paths.h"

namespace rocket::spec {
FrontProxy::FrontProxy(Kind kind, std::uint16_t api_port) : kind_(kind), api_port_(api_port) {
  std::string directory = (std::filesystem::temp_directory_path() / "rocket_front_proxy_XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) throw std::runtime_error("cannot make " + directory);
  directory_ = directory;
  make_certificate();
  // Below the range of ports that the kernel gives to sockets that ask for any port.
  std::uniform_int_distribution<std::uint16_t> any_port(20'000, 32'000);
  std::random_device random;
  for (int i = 0; i < 20; ++i) {
    port_ = any_port(random);
    write_configuration();
    if (try_to_start()) return;
  }
  const std::string output = process_->output();
  std::filesystem::remove_all(directory_);
  throw std::runtime_error("the proxy does not start:\n" + output);
}

FrontProxy::~FrontProxy() {
  if (process_) expect_good_end(*process_);
  process_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

Environment FrontProxy::settings_of_api(Kind kind) {
  Environment settings{{"API_TRUSTED_PROXIES", "127.0.0.1"}};
  if (kind == Kind::kHaproxy) settings["API_PROXY_HEADER"] = "proxy-protocol";
  return settings;
}

void FrontProxy::make_certificate() const {
  const Finished made = run_to_end(
      "/bin/sh", {{"DIRECTORY", directory_}},
      {"-c",
       "cd $DIRECTORY && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
       "/CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out certificate.pem && "
       "cat certificate.pem key.pem > both.pem"});
  if (made.exit.code != 0) throw std::runtime_error("no certificate: " + made.output);
}

void FrontProxy::write_configuration() const {
  const bool is_nginx = kind_ == Kind::kNginx;
  std::string example =
      contents_of(source_dir() + "/docs/proxies/" + (is_nginx ? "nginx.conf" : "haproxy.cfg"));
  adapt_example(example, "127.0.0.1:5000", "127.0.0.1:" + std::to_string(api_port_));
  adapt_example(example, "/etc/ssl/rocket-rides", directory_);
  const std::string address = "127.0.0.1:" + std::to_string(port_);
  adapt_example(example, is_nginx ? "listen 443" : "bind :443", (is_nginx ? "listen " : "bind ") + address);
  std::ofstream(directory_ / "example") << example;
  if (!is_nginx) return;
  // The surrounding lines of Debian's nginx.conf, with our own paths.
  std::ofstream file(directory_ / "nginx.conf");
  // Only one process, because worker processes would outlive a spec that is killed.
  file << "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr notice;\nevents {}\nhttp {\n"
          "access_log off;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    file << kind << "_temp_path " << (directory_ / kind).string() << ";\n";
  }
  file << "include " << (directory_ / "example").string() << ";\n}\n";
}

bool FrontProxy::try_to_start() {
  const bool is_nginx = kind_ == Kind::kNginx;
  std::vector<std::string> flags{"-f", directory_ / "example", "-W"};
  if (is_nginx) flags = {"-p", directory_, "-e", "stderr", "-c", directory_ / "nginx.conf"};
  process_.emplace(is_nginx ? "/usr/sbin/nginx" : "/usr/sbin/haproxy", Environment{}, flags);
  try {
    process_->wait_for_line(is_nginx ? "getrlimit" : "Loading success");
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

}  // namespace rocket::spec
