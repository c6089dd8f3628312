#pragma once

#include <amqp.h>
#include <amqp_framing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// The frames of AMQP 0-9-1, which librabbitmq encodes and decodes. Its sending is not used: that waits
// without end for a broker that has stopped reading, as RabbitMQ does when it is short of memory.
namespace rocket::jobs {

// For librabbitmq, which changes nothing in it.
amqp_bytes_t amqp_bytes_of(std::string_view text);
std::string text_of(const amqp_bytes_t& bytes);

// Frames to be sent.
class AmqpFrames {
 public:
  // Which each of them may have at most, and at least the broker must take: it is what both of them default
  // to.
  static constexpr std::size_t kMaxFrameBytes = AMQP_DEFAULT_FRAME_SIZE;

  // `fields` are those of this method. Throws std::runtime_error where they are too long for a frame.
  void add_method(amqp_channel_t channel, amqp_method_number_t method, void* fields);
  // What follows basic.publish, with a body in as many frames as it needs.
  void add_content(amqp_channel_t channel, amqp_basic_properties_t properties, std::string_view body,
                   std::size_t most_bytes_of_a_frame);
  void add_heartbeat();
  // As it is.
  void add(std::string_view bytes) { bytes_ += bytes; }

  const std::string& bytes() const { return bytes_; }
  void clear() { bytes_.clear(); }

 private:
  void begin(std::uint8_t type, amqp_channel_t channel);
  void end();
  // What librabbitmq encodes, by a function that returns the size or an error.
  template <typename Encode>
  void append_encoded(Encode encode);

  std::string bytes_;
  // Where the frame begins that is being written.
  std::size_t begin_ = 0;
};

// Takes apart what was received.
class AmqpReader {
 public:
  AmqpReader();

  // `bytes` must live until next() has returned nullptr.
  void feed(std::string_view bytes) { rest_ = bytes; }
  // Takes larger frames from here on, as was agreed on. Only after the first frame.
  void allow(std::size_t most_bytes_of_a_frame);
  // The next frame, which lives until the next call; nullptr when more bytes are needed. Throws
  // std::runtime_error at what is not AMQP.
  const amqp_frame_t* next();

 private:
  std::unique_ptr<amqp_connection_state_t_, decltype(&amqp_destroy_connection)> state_;
  std::string_view rest_;
  amqp_frame_t frame_{};
};

}  // namespace rocket::jobs
