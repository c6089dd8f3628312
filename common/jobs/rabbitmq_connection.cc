#include "rocket/jobs/rabbitmq_connection.h"

#include <algorithm>
#include <utility>

namespace rocket::jobs {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr amqp_channel_t kChannel = 1;
constexpr std::size_t kLongestName = 255;
// How many bytes are written before we read again what the broker has sent meanwhile.
constexpr std::size_t kBytesAtOnce = std::size_t{1} << 16U;
constexpr std::uint8_t kPersistent = 2;

amqp_bytes_t short_text(std::string_view text) {
  // AMQP writes the length in one byte, and librabbitmq does not check it.
  if (text.size() > kLongestName) throw std::runtime_error("a name of more than 255 bytes");
  return amqp_bytes_of(text);
}

template <typename Fields>
const Fields& fields_of(const amqp_frame_t& frame) {
  return *static_cast<const Fields*>(frame.payload.method.decoded);
}

bool is_method(const amqp_frame_t& frame, amqp_method_number_t method) {
  return frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == method;
}

std::runtime_error refusal(const amqp_bytes_t& reason) {
  std::string text = text_of(reason);
  if (text.find("no queue") != std::string::npos) text += "; enqueuer --create-queue makes it";
  return std::runtime_error(text);
}

amqp_table_entry_t entry(const char* key, bool value) {
  amqp_table_entry_t entry{};
  entry.key = amqp_bytes_of(key);
  entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  entry.value.value.boolean = value ? 1 : 0;
  return entry;
}

amqp_table_entry_t entry(const char* key, const char* value) {
  amqp_table_entry_t entry{};
  entry.key = amqp_bytes_of(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = amqp_bytes_of(value);
  return entry;
}

template <std::size_t count>
amqp_table_t table_of(std::array<amqp_table_entry_t, count>& entries) {
  return {static_cast<int>(count), entries.data()};
}

}  // namespace

RabbitMqConnection::RabbitMqConnection(const RabbitMqAddress& address, const std::string& ca_file,
                                       std::chrono::seconds heartbeat, Deadline deadline)
    : stream_(address.server, ca_file, deadline), heartbeat_(heartbeat) {
  frames_.add(std::string_view("AMQP\0\0\x09\x01", 8));
  send(deadline);
  wait_for(AMQP_CONNECTION_START_METHOD, deadline);
  log_in(address);
  send(deadline);

  const auto tune = fields_of<amqp_connection_tune_t>(wait_for(AMQP_CONNECTION_TUNE_METHOD, deadline));
  // 0 means that the broker leaves the choice to us.
  if (tune.heartbeat != 0) heartbeat_ = std::min(heartbeat_, std::chrono::seconds(tune.heartbeat));
  if (tune.frame_max != 0) max_frame_bytes_ = std::min<std::size_t>(max_frame_bytes_, tune.frame_max);
  // A message that comes back may be as large as what was sent.
  reader_.allow(max_frame_bytes_);
  amqp_connection_tune_ok_t tune_ok{tune.channel_max, static_cast<std::uint32_t>(max_frame_bytes_),
                                    static_cast<std::uint16_t>(heartbeat_.count())};
  frames_.add_method(0, AMQP_CONNECTION_TUNE_OK_METHOD, &tune_ok);
  call(0, AMQP_CONNECTION_OPEN_METHOD,
       amqp_connection_open_t{short_text(address.virtual_host), amqp_empty_bytes, 0},
       AMQP_CONNECTION_OPEN_OK_METHOD, deadline);
  call(kChannel, AMQP_CHANNEL_OPEN_METHOD, amqp_channel_open_t{amqp_empty_bytes}, AMQP_CHANNEL_OPEN_OK_METHOD,
       deadline);
  call(kChannel, AMQP_CONFIRM_SELECT_METHOD, amqp_confirm_select_t{0}, AMQP_CONFIRM_SELECT_OK_METHOD,
       deadline);
}

void RabbitMqConnection::log_in(const RabbitMqAddress& address) {
  // The extensions that we understand. Without the first, the broker answers a wrong password with silence.
  std::array<amqp_table_entry_t, 4> capabilities{entry("authentication_failure_close", true),
                                                 entry("publisher_confirms", true), entry("basic.nack", true),
                                                 entry("connection.blocked", true)};
  std::array<amqp_table_entry_t, 3> properties{entry("product", "rocket-rides"),
                                               entry("connection_name", "rocket-rides enqueuer"),
                                               entry("capabilities", true)};
  properties.back().value.kind = AMQP_FIELD_KIND_TABLE;
  properties.back().value.value.table = table_of(capabilities);
  std::string login;
  login.append(1, '\0').append(address.server.user).append(1, '\0').append(address.server.password);
  amqp_connection_start_ok_t start_ok{table_of(properties), amqp_bytes_of("PLAIN"), amqp_bytes_of(login),
                                      amqp_bytes_of("en_US")};
  frames_.add_method(0, AMQP_CONNECTION_START_OK_METHOD, &start_ok);
}

void RabbitMqConnection::find_queue(const std::string& name, Deadline deadline) {
  amqp_queue_declare_t declare{};
  declare.queue = short_text(name);
  declare.passive = 1;
  call(kChannel, AMQP_QUEUE_DECLARE_METHOD, declare, AMQP_QUEUE_DECLARE_OK_METHOD, deadline);
}

void RabbitMqConnection::create_queue(const std::string& name, Deadline deadline) {
  std::array<amqp_table_entry_t, 1> arguments{entry("x-queue-type", "quorum")};
  amqp_queue_declare_t declare{};
  declare.queue = short_text(name);
  declare.durable = 1;
  declare.arguments = table_of(arguments);
  call(kChannel, AMQP_QUEUE_DECLARE_METHOD, declare, AMQP_QUEUE_DECLARE_OK_METHOD, deadline);
}

void RabbitMqConnection::publish(const std::string& queue, const std::vector<const Job*>& jobs,
                                 Confirms& confirms, Deadline deadline) {
  read_at_once(nullptr);
  if (blocked_) throw RabbitMqBlocked(*blocked_);
  confirms = Confirms(jobs.size(), published_ + 1);
  for (const Job* job : jobs) {
    add_message(queue, *job);
    ++published_;
    if (frames_.bytes().size() < kBytesAtOnce) continue;
    send(deadline);
    read_at_once(&confirms);
    if (blocked_) throw RabbitMqBlocked(*blocked_);
  }
  send(deadline);
  while (confirms.awaited() > 0) {
    if (!take(next_frame(deadline), &confirms)) throw std::runtime_error("an answer that nobody asked for");
    if (blocked_) throw RabbitMqBlocked(*blocked_);
  }
}

// Publishes to the exchange without a name, which leads to each queue by its name.
void RabbitMqConnection::add_message(const std::string& queue, const Job& job) {
  amqp_basic_publish_t publish{};
  publish.routing_key = short_text(queue);
  // A message that reaches no queue comes back.
  publish.mandatory = 1;
  frames_.add_method(kChannel, AMQP_BASIC_PUBLISH_METHOD, &publish);

  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                      AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_TYPE_FLAG;
  properties.content_type = amqp_bytes_of("application/json");
  properties.delivery_mode = kPersistent;
  properties.message_id = short_text(job.id);
  properties.timestamp = static_cast<std::uint64_t>(
      std::chrono::floor<std::chrono::seconds>(job.created_at).time_since_epoch().count());
  properties.type = short_text(job.name);
  std::array<amqp_table_entry_t, 1> headers{entry("traceparent", job.traceparent.c_str())};
  if (!job.traceparent.empty()) {
    properties._flags |= AMQP_BASIC_HEADERS_FLAG;
    properties.headers = table_of(headers);
  }
  frames_.add_content(kChannel, properties, job.args, max_frame_bytes_);
}

void RabbitMqConnection::keep_alive() {
  read_at_once(nullptr);
  const auto now = steady_clock::now();
  if (now - last_received_ > 2 * heartbeat_) throw std::runtime_error("no heartbeat from it");
  if (now - last_sent_ < milliseconds(heartbeat_) / 2) return;
  frames_.add_heartbeat();
  send(now + milliseconds(100));
}

void RabbitMqConnection::close() noexcept {
  try {
    call(0, AMQP_CONNECTION_CLOSE_METHOD,
         amqp_connection_close_t{AMQP_REPLY_SUCCESS, amqp_bytes_of("done"), 0, 0},
         AMQP_CONNECTION_CLOSE_OK_METHOD, steady_clock::now() + milliseconds(1000));
  } catch (const std::exception&) {
    // Then the broker finds out by itself.
  }
}

void RabbitMqConnection::send(Deadline deadline) {
  stream_.write(frames_.bytes(), deadline);
  frames_.clear();
  last_sent_ = steady_clock::now();
}

template <typename Fields>
void RabbitMqConnection::call(amqp_channel_t channel, amqp_method_number_t method, Fields fields,
                              amqp_method_number_t answer, Deadline deadline) {
  frames_.add_method(channel, method, &fields);
  send(deadline);
  wait_for(answer, deadline);
}

const amqp_frame_t& RabbitMqConnection::wait_for(amqp_method_number_t method, Deadline deadline) {
  for (;;) {
    const amqp_frame_t& frame = next_frame(deadline);
    if (is_method(frame, method)) return frame;
    if (!take(frame, nullptr)) throw std::runtime_error("an answer to something else");
  }
}

const amqp_frame_t& RabbitMqConnection::next_frame(Deadline deadline) {
  for (;;) {
    if (const amqp_frame_t* frame = reader_.next()) return *frame;
    const std::size_t size = stream_.read(received_, deadline);
    last_received_ = steady_clock::now();
    reader_.feed(std::string_view(received_.data(), size));
  }
}

void RabbitMqConnection::read_at_once(Confirms* confirms) {
  for (;;) {
    while (const amqp_frame_t* frame = reader_.next()) {
      if (!take(*frame, confirms)) throw std::runtime_error("an answer that nobody asked for");
    }
    const std::size_t size = stream_.read_at_once(received_);
    if (size == 0) return;
    last_received_ = steady_clock::now();
    reader_.feed(std::string_view(received_.data(), size));
  }
}

bool RabbitMqConnection::take(const amqp_frame_t& frame, Confirms* confirms) {
  // Nothing to do for heartbeats and for the content of messages that come back.
  if (frame.frame_type != AMQP_FRAME_METHOD) return true;
  switch (frame.payload.method.id) {
    case AMQP_BASIC_ACK_METHOD: {
      const auto& ack = fields_of<amqp_basic_ack_t>(frame);
      if (confirms != nullptr) confirms->settle(ack.delivery_tag, ack.multiple != 0, true);
      return true;
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto& nack = fields_of<amqp_basic_nack_t>(frame);
      if (confirms != nullptr) confirms->settle(nack.delivery_tag, nack.multiple != 0, false);
      return true;
    }
    case AMQP_BASIC_RETURN_METHOD:
      if (confirms != nullptr) confirms->give_back(text_of(fields_of<amqp_basic_return_t>(frame).reply_text));
      return true;
    case AMQP_CONNECTION_BLOCKED_METHOD:
      blocked_ = "it takes no messages now: " + text_of(fields_of<amqp_connection_blocked_t>(frame).reason);
      return true;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      blocked_.reset();
      return true;
    case AMQP_CHANNEL_CLOSE_METHOD:
      throw refusal(fields_of<amqp_channel_close_t>(frame).reply_text);
    case AMQP_CONNECTION_CLOSE_METHOD:
      throw refusal(fields_of<amqp_connection_close_t>(frame).reply_text);
    default:
      return false;
  }
}

}  // namespace rocket::jobs
