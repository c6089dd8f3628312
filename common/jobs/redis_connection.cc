#include "jobs/redis_connection.h"

#include <hiredis/hiredis.h>
#include <poll.h>

#include <array>
#include <asio/co_spawn.hpp>
#include <asio/connect.hpp>
#include <asio/ssl/host_name_verification.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <asio/write.hpp>
#include <future>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace rocket::jobs {
namespace {

using Reader = std::unique_ptr<redisReader, decltype(&redisReaderFree)>;
using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

// Redis quotes the arguments of a command that it does not know, which may be a password.
std::string without_arguments(const std::string& error) { return error.substr(0, error.find(", with args")); }

// nullptr when no whole reply has arrived yet.
Reply next_reply(const Reader& reader) {
  void* reply = nullptr;
  if (redisReaderGetReply(reader.get(), &reply) != REDIS_OK) {
    throw std::runtime_error(std::string("an answer that is not Redis's: ") + reader->errstr);
  }
  return {static_cast<redisReply*>(reply), freeReplyObject};
}

}  // namespace

void RedisCommands::add(const std::vector<std::string_view>& words) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  texts.reserve(words.size());
  sizes.reserve(words.size());
  for (const std::string_view word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* formatted = nullptr;
  const int size =
      redisFormatCommandArgv(&formatted, static_cast<int>(words.size()), texts.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  const std::unique_ptr<char, decltype(&redisFreeCommand)> owned(formatted, redisFreeCommand);
  bytes_.append(formatted, static_cast<std::size_t>(size));
  ++count_;
}

RedisConnection::RedisConnection(const RedisAddress& address, const std::string& ca_file, Deadline deadline)
    : tls_context_(asio::ssl::context::tls_client),
      stream_(context_, tls_context_),
      resolver_(context_),
      tls_(address.tls) {
  if (tls_) {
    if (ca_file.empty()) {
      tls_context_.set_default_verify_paths();
    } else {
      tls_context_.load_verify_file(ca_file);
    }
    ::SSL_CTX_set_min_proto_version(tls_context_.native_handle(), TLS1_2_VERSION);
  }
  finish(connect(address), deadline);
}

RedisConnection::~RedisConnection() = default;

asio::awaitable<void> RedisConnection::connect(const RedisAddress& address) {
  const auto endpoints =
      co_await resolver_.async_resolve(address.host, std::to_string(address.port),
                                       asio::ip::resolver_base::numeric_service, asio::use_awaitable);
  co_await asio::async_connect(stream_.next_layer(), endpoints, asio::use_awaitable);
  stream_.next_layer().set_option(asio::ip::tcp::no_delay(true));
  if (!tls_) co_return;
  std::error_code not_an_address;
  asio::ip::make_address(address.host, not_an_address);
  // RFC 6066 wants names only.
  if (not_an_address) SSL_set_tlsext_host_name(stream_.native_handle(), address.host.c_str());
  stream_.set_verify_mode(asio::ssl::verify_peer);
  stream_.set_verify_callback(asio::ssl::host_name_verification(address.host));
  co_await stream_.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
}

std::vector<RedisConnection::Refusal> RedisConnection::exchange(const RedisCommands& commands,
                                                                Deadline deadline) {
  return finish(send_and_receive(commands), deadline);
}

asio::awaitable<std::vector<RedisConnection::Refusal>> RedisConnection::send_and_receive(
    const RedisCommands& commands) {
  const asio::const_buffer out = asio::buffer(commands.bytes());
  if (tls_) {
    co_await asio::async_write(stream_, out, asio::use_awaitable);
  } else {
    co_await asio::async_write(stream_.next_layer(), out, asio::use_awaitable);
  }
  const Reader reader(redisReaderCreate(), redisReaderFree);
  std::vector<Refusal> refusals;
  std::array<char, 4096> bytes{};
  for (;;) {
    const asio::mutable_buffer in = asio::buffer(bytes);
    const std::size_t size = tls_ ? co_await stream_.async_read_some(in, asio::use_awaitable)
                                  : co_await stream_.next_layer().async_read_some(in, asio::use_awaitable);
    redisReaderFeed(reader.get(), bytes.data(), size);
    while (const Reply reply = next_reply(reader)) {
      refusals.push_back(reply->type == REDIS_REPLY_ERROR
                             ? Refusal(without_arguments(std::string(reply->str, reply->len)))
                             : std::nullopt);
    }
    if (refusals.size() >= commands.count()) co_return refusals;
  }
}

bool RedisConnection::has_ended() {
  // Nobody asked for anything, so there is nothing to read but the end.
  pollfd watched{stream_.next_layer().native_handle(), POLLIN, 0};
  return ::poll(&watched, 1, 0) != 0;
}

template <typename T>
T RedisConnection::finish(asio::awaitable<T> work, Deadline deadline) {
  std::future<T> result = asio::co_spawn(context_, std::move(work), asio::use_future);
  context_.restart();
  context_.run_until(deadline);
  const bool late = !context_.stopped();
  if (late) {
    resolver_.cancel();
    std::error_code ignored;
    stream_.next_layer().close(ignored);
    context_.run();
  }
  try {
    return result.get();
  } catch (const std::system_error& error) {
    if (late) throw std::runtime_error("no answer in time");
    throw std::runtime_error(error.code() == asio::error::eof ? "it closed the connection"
                                                              : error.code().message());
  }
}

}  // namespace rocket::jobs
