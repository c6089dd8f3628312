#pragma once

#include <amqp.h>
#include <amqp_framing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// The frames of AMQP 0-9-1, which librabbitmq encodes and decodes. Sending with librabbitmq is not used: it
// waits without end for a broker that has stopped reading, and RabbitMQ stops reading when it is short of
// memory.
namespace rocket::jobs {

// The text in the form that librabbitmq takes. librabbitmq does not change it.
amqp_bytes_t amqp_bytes_of(std::string_view text);
std::string text_of(const amqp_bytes_t& bytes);

// Frames to be sent.
class AmqpFrames {
 public:
  // Most bytes of a frame, unless the broker wants less. It is the default of both RabbitMQ and librabbitmq.
  static constexpr std::size_t kMaxFrameBytes = AMQP_DEFAULT_FRAME_SIZE;

  // `fields` are the fields of this method. Throws std::runtime_error if they are too long for a frame.
  void add_method(amqp_channel_t channel, amqp_method_number_t method, void* fields);
  // Adds what follows basic.publish: a header, and the body in as many frames as it needs.
  void add_content(amqp_channel_t channel, amqp_basic_properties_t properties, std::string_view body,
                   std::size_t most_bytes_of_a_frame);
  void add_heartbeat();
  // Adds the bytes as they are.
  void add(std::string_view bytes) { bytes_ += bytes; }

  const std::string& bytes() const { return bytes_; }
  void clear() { bytes_.clear(); }

 private:
  void begin(std::uint8_t type, amqp_channel_t channel);
  void end();
  // Appends what librabbitmq encodes. `encode` returns the size or an error.
  template <typename Encode>
  void append_encoded(Encode encode);

  std::string bytes_;
  // Where the frame that is being written begins.
  std::size_t begin_ = 0;
};

// Splits received bytes into frames.
class AmqpReader {
 public:
  AmqpReader();

  // `bytes` must live until next() has returned nullptr.
  void feed(std::string_view bytes) { rest_ = bytes; }
  // Takes frames of up to this size from now on, as agreed with the broker. Call it only after the first
  // frame.
  void allow(std::size_t most_bytes_of_a_frame);
  // Returns the next frame, which lives until the next call, or nullptr if more bytes are needed. Throws
  // std::runtime_error if the bytes are not AMQP.
  const amqp_frame_t* next();

 private:
  std::unique_ptr<amqp_connection_state_t_, decltype(&amqp_destroy_connection)> state_;
  std::string_view rest_;
  amqp_frame_t frame_{};
};

}  // namespace rocket::jobs
