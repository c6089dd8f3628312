#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace rocket::spec {

// A client that does what none should, or what few do. Each function is a visit on a new connection, at the
// end of which that is gone, checks what the server has to say to it, and returns how many requests were sent
// or begun. Throws std::runtime_error when the server says nothing. Not thread safe.
class HostileClient {
 public:
  HostileClient(std::uint16_t port, unsigned seed) : port_(port), random_(seed) {}

  // A ride, byte by byte.
  int dribble();
  // A ride, and no more will come.
  int half_close();
  // Some of a request, all of it, or more; then, at some moment, a reset.
  int vanish();
  // Eight requests at once, the slow ones in front of quick ones.
  int pipeline();
  // Half a request, on some connections, and silence.
  int fall_silent();

  int send_random_bytes();
  int send_an_oversize_body();
  int send_an_oversize_head();
  int send_a_thousand_fields();
  int send_ambiguous_lengths();
  // NUL and what is not UTF-8, at any place of a request.
  int send_what_is_no_text();

 private:
  unsigned up_to(unsigned most) { return static_cast<unsigned>(random_()) % (most + 1); }
  // Refused with this status, and the connection with it.
  int expect_refused(const std::string& bytes, int status);

  std::uint16_t port_;
  std::minstd_rand random_;
};

}  // namespace rocket::spec
