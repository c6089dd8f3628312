// The yardstick for the enqueuer's rate into RabbitMQ. Publishes messages to a queue as fast as one
// connection can with librabbitmq, with at most a thousand messages that RabbitMQ has not confirmed yet.
// Prints messages/s.
//   publish PORT QUEUE COUNT

#include <amqp.h>
#include <amqp_tcp_socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

constexpr amqp_channel_t kChannel = 1;
constexpr std::uint64_t kMaxUnconfirmed = 1000;
// About as long as a job.
constexpr std::size_t kBytes = 80;

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("RabbitMQ does not let us ") + what);
}

bool answered(amqp_connection_state_t state) {
  return amqp_get_rpc_reply(state).reply_type == AMQP_RESPONSE_NORMAL;
}

// Waits for a confirm and returns the number of its message. All messages before it count as confirmed too,
// because one queue confirms nearly in order.
std::uint64_t wait_for_confirm(amqp_connection_state_t state) {
  amqp_frame_t frame{};
  check(amqp_simple_wait_frame(state, &frame) == AMQP_STATUS_OK, "read");
  check(frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_ACK_METHOD, "publish");
  return static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded)->delivery_tag;
}

void publish(amqp_connection_state_t state, const std::string& queue, std::uint64_t count) {
  const std::string body(kBytes, 'x');
  const std::string id(36, 'x');
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG;
  properties.delivery_mode = 2;
  properties.message_id = amqp_cstring_bytes(id.c_str());
  std::uint64_t confirmed = 0;
  for (std::uint64_t number = 1; number <= count; ++number) {
    check(amqp_basic_publish(state, kChannel, amqp_empty_bytes, amqp_cstring_bytes(queue.c_str()), 1, 0,
                             &properties, amqp_cstring_bytes(body.c_str())) == AMQP_STATUS_OK,
          "publish");
    while (number - confirmed >= kMaxUnconfirmed || (number == count && confirmed < count)) {
      confirmed = std::max(confirmed, wait_for_confirm(state));
      amqp_maybe_release_buffers(state);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    check(argc == 4, "begin: usage: publish PORT QUEUE COUNT");
    const std::string queue = argv[2];
    const std::uint64_t count = std::stoull(argv[3]);
    const std::unique_ptr<amqp_connection_state_t_, decltype(&amqp_destroy_connection)> connection(
        amqp_new_connection(), amqp_destroy_connection);
    amqp_connection_state_t state = connection.get();
    check(amqp_socket_open(amqp_tcp_socket_new(state), "127.0.0.1", std::stoi(argv[1])) == AMQP_STATUS_OK,
          "connect");
    amqp_login(state, "/", 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
    amqp_channel_open(state, kChannel);
    amqp_confirm_select(state, kChannel);
    check(answered(state), "in");
    const auto begin = std::chrono::steady_clock::now();
    publish(state, queue, count);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    std::cout << static_cast<std::uint64_t>(static_cast<double>(count) / taken.count()) << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "publish: " << error.what() << '\n';
    return 1;
  }
}
