#include "spec/support/scrape.h"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <sstream>
#include <stdexcept>

#include "spec/support/eventually.h"
#include "spec/support/http_client.h"

namespace rocket::spec {

std::uint16_t free_port() {
  asio::io_context context;
  const asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  return acceptor.local_endpoint().port();
}

Environment with_metrics(Environment environment, std::uint16_t port) {
  environment["METRICS_PORT"] = std::to_string(port);
  return environment;
}

Scrape::Scrape(std::uint16_t port) {
  const ClientResponse response = exchange(port, {"GET", "/metrics", {}, ""});
  if (response.status != 200) throw std::runtime_error("no metrics: " + std::to_string(response.status));
  text_ = response.body;
  std::istringstream lines(text_);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) families_.insert(line.substr(7, line.rfind(' ') - 7));
    if (!line.starts_with('#')) series_.insert(line.substr(0, line.rfind(' ')));
  }
}

std::optional<double> Scrape::value(const std::string& series) const {
  const auto found = ('\n' + text_).find('\n' + series + ' ');
  if (found == std::string::npos) return std::nullopt;
  return std::stod(text_.substr(found + series.size() + 1));
}

std::optional<double> eventual_value(std::uint16_t port, const std::string& series, double wanted,
                                     std::chrono::milliseconds limit) {
  std::optional<double> shown;
  eventually(
      [&] {
        shown = Scrape(port).value(series);
        return shown == wanted;
      },
      limit);
  return shown;
}

}  // namespace rocket::spec
