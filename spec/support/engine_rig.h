#pragma once

#include <asio/post.hpp>
#include <chrono>
#include <cstddef>
#include <future>
#include <string>

#include "rocket/base/log.h"
#include "rocket/endpoints/endpoint.h"
#include "rocket/endpoints/rides.h"
#include "rocket/idempotency/engine.h"
#include "rocket/idempotency/flow.h"
#include "rocket/pg/lanes.h"
#include "spec/support/scripted_gateway.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

struct RigOptions {
  // Each lane stands for a process: the lanes share nothing but the database.
  std::size_t lanes = 2;
  std::size_t batch_limit = 64;
  endpoints::RideOptions rides;
  idempotency::EngineOptions engine;
};

// Runs the engine in this process, with the program's own flows, a real database and a scripted provider.
// Thread safe.
class EngineRig {
 public:
  explicit EngineRig(const TestDatabase& database, RigOptions options = {});
  // With another URL of the database.
  EngineRig(const std::string& database_url, RigOptions options);
  // With another time limit for transactions. The usual one is so long that a slow machine does not exceed
  // it.
  EngineRig(const std::string& database_url, RigOptions options,
            std::chrono::milliseconds transaction_timeout);

  ScriptedGateway& gateway() { return gateway_; }
  pg::Lane& lane(std::size_t index = 0) { return lanes_.at(index % lanes_.size()); }
  const idempotency::Engine& engine() const { return engine_; }
  // The flow of a request with this path.
  const idempotency::Flow& flow(const std::string& path, const std::string& method = "POST") const;

  // Starts one attempt on one lane; see answer_of().
  std::future<idempotency::Outcome> start(idempotency::Request request, std::size_t lane = 0);
  idempotency::Outcome run(idempotency::Request request, std::size_t lane = 0);

 private:
  ScriptedGateway gateway_;
  Log log_;
  endpoints::Endpoints endpoints_;
  idempotency::Engine engine_;
  // The last member, because it must be destroyed first: its threads use the other members.
  pg::Lanes lanes_;
};

// Stops a lane while this object lives. The units that arrive meanwhile then share one batch.
class Pause {
 public:
  explicit Pause(pg::Lane& lane) {
    asio::post(lane.executor(), [ended = end_.get_future().share()] { ended.wait(); });
  }
  ~Pause() { end_.set_value(); }
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;

 private:
  std::promise<void> end_;
};

// Waits for the result. Throws std::runtime_error after 30 s.
idempotency::Outcome answer_of(std::future<idempotency::Outcome>& attempt);

// "201", "201 replayed", or the name of the refusal, such as "in_progress".
std::string describe(const idempotency::Outcome& outcome);
// The body of an answer; empty for a refusal.
std::string body_of(const idempotency::Outcome& outcome);

}  // namespace rocket::spec
