#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "spec/support/child_process.h"

namespace rocket::spec {

// nginx or HAProxy in front of an api. Its configuration is the example in docs/proxies with other ports and
// paths. It listens on a free port of 127.0.0.1 with TLS, and has its own folder for its files.
class FrontProxy {
 public:
  enum class Kind { kNginx, kHaproxy };

  // Returns once the proxy listens. The proxy may not have reached the api yet.
  FrontProxy(Kind kind, std::uint16_t api_port);
  ~FrontProxy();
  FrontProxy(const FrontProxy&) = delete;
  FrontProxy& operator=(const FrontProxy&) = delete;

  std::string url() const { return "https://localhost:" + std::to_string(port_); }
  // The path of its self-signed certificate.
  std::string certificate() const { return directory_ / "certificate.pem"; }
  // The settings that the api behind it needs.
  static Environment settings_of_api(Kind kind);

 private:
  void make_certificate() const;
  void write_configuration() const;
  bool try_to_start();

  Kind kind_;
  std::uint16_t api_port_;
  std::uint16_t port_ = 0;
  std::filesystem::path directory_;
  std::optional<ChildProcess> process_;
};

}  // namespace rocket::spec
