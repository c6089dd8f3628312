#include "rocket/jobs/broker_stream.h"

#include <asio/co_spawn.hpp>
#include <asio/connect.hpp>
#include <asio/ssl/host_name_verification.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <asio/write.hpp>
#include <future>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "rocket/base/run_with_deadline.h"

namespace rocket::jobs {
namespace {

std::runtime_error readable(const std::error_code& error) {
  return std::runtime_error(error == asio::error::eof ? "it closed the connection" : error.message());
}

// If the name servers do not answer, the look-up of the system takes longer than any deadline of ours.
BrokerStream::Endpoints look_up(const BrokerUrl& url, BrokerStream::Deadline deadline) {
  try {
    return run_with_deadline(
        [host = url.host, port = std::to_string(url.port)]() -> BrokerStream::Endpoints {
          asio::io_context context;
          return asio::ip::tcp::resolver(context).resolve(host, port,
                                                          asio::ip::resolver_base::numeric_service);
        },
        deadline);
  } catch (const std::system_error& error) {
    throw readable(error.code());
  }
}

}  // namespace

BrokerStream::BrokerStream(const BrokerUrl& url, const std::string& ca_file, Deadline deadline)
    : tls_context_(asio::ssl::context::tls_client), stream_(context_, tls_context_), tls_(url.tls) {
  if (tls_) {
    if (ca_file.empty()) {
      tls_context_.set_default_verify_paths();
    } else {
      tls_context_.load_verify_file(ca_file);
    }
    ::SSL_CTX_set_min_proto_version(tls_context_.native_handle(), TLS1_2_VERSION);
  }
  finish(connect(url, look_up(url, deadline)), deadline);
}

BrokerStream::~BrokerStream() = default;

asio::awaitable<void> BrokerStream::connect(const BrokerUrl& url, const Endpoints& endpoints) {
  co_await asio::async_connect(stream_.next_layer(), endpoints, asio::use_awaitable);
  stream_.next_layer().set_option(asio::ip::tcp::no_delay(true));
  if (!tls_) co_return;
  std::error_code not_an_address;
  asio::ip::make_address(url.host, not_an_address);
  // RFC 6066 allows names only, no addresses.
  if (not_an_address) SSL_set_tlsext_host_name(stream_.native_handle(), url.host.c_str());
  stream_.set_verify_mode(asio::ssl::verify_peer);
  stream_.set_verify_callback(asio::ssl::host_name_verification(url.host));
  co_await stream_.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
}

void BrokerStream::write(std::string_view bytes, Deadline deadline) { finish(write_all(bytes), deadline); }

asio::awaitable<std::size_t> BrokerStream::write_all(std::string_view bytes) {
  const asio::const_buffer out = asio::buffer(bytes);
  if (tls_) {
    co_return co_await asio::async_write(stream_, out, asio::use_awaitable);
  }
  co_return co_await asio::async_write(stream_.next_layer(), out, asio::use_awaitable);
}

std::size_t BrokerStream::read(std::span<char> bytes, Deadline deadline) {
  return finish(read_some(bytes), deadline);
}

asio::awaitable<std::size_t> BrokerStream::read_some(std::span<char> bytes) {
  const asio::mutable_buffer in = asio::buffer(bytes.data(), bytes.size());
  if (tls_) {
    co_return co_await stream_.async_read_some(in, asio::use_awaitable);
  }
  co_return co_await stream_.next_layer().async_read_some(in, asio::use_awaitable);
}

std::size_t BrokerStream::read_at_once(std::span<char> bytes) {
  std::future<std::size_t> result = asio::co_spawn(context_, read_some(bytes), asio::use_future);
  context_.restart();
  context_.poll();
  if (!context_.stopped()) {
    // Cancelling loses no bytes: the next read goes on from here.
    stream_.next_layer().cancel();
    context_.run();
  }
  try {
    return result.get();
  } catch (const std::system_error& error) {
    if (error.code() == asio::error::operation_aborted) return 0;
    throw readable(error.code());
  }
}

void BrokerStream::close() {
  std::error_code ignored;
  stream_.next_layer().close(ignored);
}

template <typename T>
T BrokerStream::finish(asio::awaitable<T> work, Deadline deadline) {
  std::future<T> result = asio::co_spawn(context_, std::move(work), asio::use_future);
  context_.restart();
  context_.run_until(deadline);
  const bool late = !context_.stopped();
  if (late) {
    close();
    context_.run();
  }
  try {
    return result.get();
  } catch (const std::system_error& error) {
    if (late) throw std::runtime_error("no answer in time");
    throw readable(error.code());
  }
}

}  // namespace rocket::jobs
