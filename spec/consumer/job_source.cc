#include "job_source.h"

#include <amqp_tcp_socket.h>

#include <stdexcept>

namespace donations {
namespace {

constexpr amqp_channel_t kChannel = 1;
constexpr int kHeartbeatSeconds = 10;

std::string text_of(amqp_bytes_t bytes) { return {static_cast<const char*>(bytes.bytes), bytes.len}; }

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(std::string("RabbitMQ: cannot ") + what);
}

void require(const amqp_rpc_reply_t& reply, const char* what) {
  require(reply.reply_type == AMQP_RESPONSE_NORMAL, what);
}

timeval timeval_of(std::chrono::milliseconds time) {
  return {.tv_sec = time.count() / 1000, .tv_usec = time.count() % 1000 * 1000};
}

JobSource::Delivery delivery_of(const amqp_envelope_t& envelope) {
  const amqp_basic_properties_t& properties = envelope.message.properties;
  return {{.id = text_of(properties.message_id),
           .name = text_of(properties.type),
           .args = text_of(envelope.message.body)},
          envelope.delivery_tag};
}

}  // namespace

JobSource::JobSource(const rocket::jobs::RabbitMqAddress& address, const std::string& queue,
                     std::uint16_t unacknowledged)
    : connection_(amqp_new_connection(), &amqp_destroy_connection) {
  amqp_connection_state_t connection = connection_.get();
  amqp_socket_t* socket = connection == nullptr ? nullptr : amqp_tcp_socket_new(connection);
  require(socket != nullptr, "make a socket");
  const timeval limit = timeval_of(std::chrono::seconds(2));
  require(amqp_socket_open_noblock(socket, address.server.host.c_str(), address.server.port, &limit) ==
              AMQP_STATUS_OK,
          "connect");
  require(amqp_login(connection, address.virtual_host.c_str(), 1, AMQP_DEFAULT_FRAME_SIZE, kHeartbeatSeconds,
                     AMQP_SASL_METHOD_PLAIN, address.server.user.c_str(), address.server.password.c_str()),
          "log in");
  amqp_channel_open(connection, kChannel);
  require(amqp_get_rpc_reply(connection), "open a channel");
  amqp_basic_qos(connection, kChannel, 0, unacknowledged, 0);
  require(amqp_get_rpc_reply(connection), "limit the number of jobs");
  amqp_basic_consume(connection, kChannel, amqp_cstring_bytes(queue.c_str()), amqp_empty_bytes, 0, 0, 0,
                     amqp_empty_table);
  require(amqp_get_rpc_reply(connection), "take jobs");
}

std::vector<JobSource::Delivery> JobSource::take(std::chrono::milliseconds patience) {
  std::vector<Delivery> taken;
  while (true) {
    amqp_maybe_release_buffers(connection_.get());
    const timeval limit = timeval_of(taken.empty() ? patience : std::chrono::milliseconds(0));
    amqp_envelope_t envelope;
    const amqp_rpc_reply_t reply = amqp_consume_message(connection_.get(), &envelope, &limit, 0);
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT) {
      return taken;
    }
    require(reply, "take jobs");
    taken.push_back(delivery_of(envelope));
    amqp_destroy_envelope(&envelope);
  }
}

void JobSource::acknowledge(const Delivery& delivery) {
  require(amqp_basic_ack(connection_.get(), kChannel, delivery.tag, 0) == AMQP_STATUS_OK, "acknowledge");
}

void JobSource::reject(const Delivery& delivery) {
  require(amqp_basic_reject(connection_.get(), kChannel, delivery.tag, 0) == AMQP_STATUS_OK, "reject");
}

}  // namespace donations
