#pragma once

#include <cstdint>

#include "rocket/base/log.h"
#include "rocket/process/stop_signal.h"
#include "simulator/options.h"
#include "simulator/statistics.h"
#include "simulator/users.h"
#include "simulator/witness.h"

namespace rocket::simulator {

// Sends random traffic until its duration is over or `stop` is requested, and then ends the requests in
// flight within 10 seconds. Never throws because of the api or its absence.
void send_traffic(const Options& options, const Users& users, const Log& log, process::StopSignal& stop,
                  Statistics& statistics, Witness& witness);

}  // namespace rocket::simulator
