#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "spec/support/child_process.h"

namespace rocket::spec {

// nginx or HAProxy before an api, configured by the examples in docs/proxies, in which only ports and paths
// are replaced. It listens on a free port of 127.0.0.1, with TLS, and has its files in a folder of its own.
class FrontProxy {
 public:
  enum class Kind { kNginx, kHaproxy };

  // Returns once it listens; whether it can reach the api is another matter.
  FrontProxy(Kind kind, std::uint16_t api_port);
  ~FrontProxy();
  FrontProxy(const FrontProxy&) = delete;
  FrontProxy& operator=(const FrontProxy&) = delete;

  std::string url() const { return "https://localhost:" + std::to_string(port_); }
  // The file of its certificate, which is its own authority's.
  std::string certificate() const { return directory_ / "certificate.pem"; }
  // What the api behind it needs to know.
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
