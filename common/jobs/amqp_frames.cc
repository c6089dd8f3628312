#include "rocket/jobs/amqp_frames.h"

#include <algorithm>
#include <new>
#include <stdexcept>

namespace rocket::jobs {
namespace {

constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kFooterBytes = 1;

template <typename Number>
void append_number(std::string& bytes, Number number) {
  for (std::size_t i = sizeof number; i-- > 0;) bytes += static_cast<char>(number >> (8 * i) & 0xffU);
}

}  // namespace

amqp_bytes_t amqp_bytes_of(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

std::string text_of(const amqp_bytes_t& bytes) { return {static_cast<const char*>(bytes.bytes), bytes.len}; }

void AmqpFrames::begin(std::uint8_t type, amqp_channel_t channel) {
  begin_ = bytes_.size();
  append_number(bytes_, type);
  append_number(bytes_, channel);
  // Room for the size of the frame, which end() fills in.
  append_number(bytes_, std::uint32_t{0});
}

void AmqpFrames::end() {
  std::string size;
  append_number(size, static_cast<std::uint32_t>(bytes_.size() - begin_ - kHeaderBytes));
  bytes_.replace(begin_ + kHeaderBytes - size.size(), size.size(), size);
  bytes_ += static_cast<char>(AMQP_FRAME_END);
}

template <typename Encode>
void AmqpFrames::append_encoded(Encode encode) {
  // No value of ours needs more.
  constexpr std::size_t kMaxBytes = AMQP_FRAME_MIN_SIZE - kHeaderBytes - kFooterBytes - 12;
  const std::size_t before = bytes_.size();
  bytes_.resize(before + kMaxBytes);
  const int size = encode(amqp_bytes_of(std::string_view(bytes_).substr(before)));
  if (size < 0) throw std::runtime_error("too long a value for AMQP");
  bytes_.resize(before + static_cast<std::size_t>(size));
}

void AmqpFrames::add_method(amqp_channel_t channel, amqp_method_number_t method, void* fields) {
  begin(AMQP_FRAME_METHOD, channel);
  append_number(bytes_, method);
  append_encoded([&](amqp_bytes_t room) { return amqp_encode_method(method, fields, room); });
  end();
}

void AmqpFrames::add_content(amqp_channel_t channel, amqp_basic_properties_t properties,
                             std::string_view body, std::size_t most_bytes_of_a_frame) {
  begin(AMQP_FRAME_HEADER, channel);
  append_number(bytes_, std::uint16_t{AMQP_BASIC_CLASS});
  append_number(bytes_, std::uint16_t{0});
  append_number(bytes_, std::uint64_t{body.size()});
  append_encoded(
      [&](amqp_bytes_t room) { return amqp_encode_properties(AMQP_BASIC_CLASS, &properties, room); });
  end();
  const std::size_t most = most_bytes_of_a_frame - kHeaderBytes - kFooterBytes;
  for (; !body.empty(); body.remove_prefix(std::min(most, body.size()))) {
    begin(AMQP_FRAME_BODY, channel);
    bytes_ += body.substr(0, most);
    end();
  }
}

void AmqpFrames::add_heartbeat() {
  begin(AMQP_FRAME_HEARTBEAT, 0);
  end();
}

AmqpReader::AmqpReader() : state_(amqp_new_connection(), amqp_destroy_connection) {
  if (!state_) throw std::bad_alloc();
}

void AmqpReader::allow(std::size_t most_bytes_of_a_frame) {
  const int result = amqp_tune_connection(state_.get(), 0, static_cast<int>(most_bytes_of_a_frame), 0);
  if (result != AMQP_STATUS_OK) throw std::runtime_error(amqp_error_string2(result));
}

const amqp_frame_t* AmqpReader::next() {
  // This does nothing in the middle of a frame.
  amqp_maybe_release_buffers(state_.get());
  while (!rest_.empty()) {
    const int size = amqp_handle_input(state_.get(), amqp_bytes_of(rest_), &frame_);
    if (size < 0)
      throw std::runtime_error(std::string("an answer that is not AMQP: ") + amqp_error_string2(size));
    rest_.remove_prefix(static_cast<std::size_t>(size));
    if (frame_.frame_type != 0) return &frame_;
  }
  return nullptr;
}

}  // namespace rocket::jobs
