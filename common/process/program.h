#pragma once

#include <exception>
#include <iostream>
#include <optional>
#include <type_traits>

#include "rocket/process/standard_descriptors.h"
#include "rocket/process/stop_signal.h"

namespace rocket::process {

// What every main() does: reads the options, runs the program until it ends or is told to stop, and turns an
// unexpected exception into a message and exit status 1.
//
// `read(argc, argv, options)` returns an exit status if there is nothing to run, as after --help or a
// mistake. `run(options, stop)` returns an exit status or nothing. The threads of the program start in `run`,
// not before.
template <typename Options, typename Read, typename Run>
int run_program(const char* name, int argc, char** argv, Read read, Run run) {
  try {
    open_standard_descriptors();
    Options options;
    if (const std::optional<int> exit_status = read(argc, argv, options)) return *exit_status;
    StopSignal stop;
    if constexpr (std::is_void_v<decltype(run(options, stop))>) {
      run(options, stop);
      return 0;
    } else {
      return run(options, stop);
    }
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 1;
  }
}

}  // namespace rocket::process
