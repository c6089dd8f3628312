#pragma once

namespace rocket::process {

// Opens /dev/null as standard input, output or error if the process was started without it. Otherwise the
// next socket or file would get that number, and the log would be written into it. Call it before anything
// else. Throws std::system_error.
void open_standard_descriptors();

}  // namespace rocket::process
