#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace rocket::spec {

// A client that does what clients should not do, or seldom do. Each function opens a new connection, checks
// the server's answers, and closes the connection. It returns the number of requests sent or begun. Throws
// std::runtime_error when the server does not answer. Not thread safe.
class HostileClient {
 public:
  HostileClient(std::uint16_t port, unsigned seed) : port_(port), random_(seed) {}

  // Sends a ride byte by byte.
  int dribble();
  // Sends a ride and closes the sending side.
  int half_close();
  // Sends a part of a request, all of it, or more; then resets the connection at a random moment.
  int vanish();
  // Sends eight requests at once, slow ones before quick ones.
  int pipeline();
  // Sends half a request on some connections, and then nothing more.
  int fall_silent();

  int send_random_bytes();
  int send_an_oversize_body();
  int send_an_oversize_head();
  int send_a_thousand_fields();
  int send_ambiguous_lengths();
  // Sends NUL or invalid UTF-8 at a random place of a request.
  int send_what_is_no_text();

 private:
  unsigned up_to(unsigned most) { return static_cast<unsigned>(random_()) % (most + 1); }
  // Expects that the server refuses the bytes with this status and closes the connection.
  int expect_refused(const std::string& bytes, int status);

  std::uint16_t port_;
  std::minstd_rand random_;
};

}  // namespace rocket::spec
