#pragma once

#include <asio/post.hpp>
#include <chrono>
#include <cstddef>
#include <future>
#include <string>

#include "base/log.h"
#include "endpoints/endpoint.h"
#include "endpoints/rides.h"
#include "idempotency/engine.h"
#include "idempotency/flow.h"
#include "pg/lanes.h"
#include "spec/support/scripted_gateway.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

struct RigOptions {
  // Each stands for a process: what one lane does, another knows only through the database.
  std::size_t lanes = 2;
  std::size_t batch_limit = 64;
  endpoints::RideOptions rides;
  idempotency::EngineOptions engine;
};

// The engine with the program's own flows, in this process, on a real database and a scripted provider.
// Thread safe.
class EngineRig {
 public:
  explicit EngineRig(const TestDatabase& database, RigOptions options = {});
  // With another way to the database.
  EngineRig(const std::string& database_url, RigOptions options);
  // With another limit of a transaction's time than the usual one, which is so long that none fails because
  // the machine is slow.
  EngineRig(const std::string& database_url, RigOptions options,
            std::chrono::milliseconds transaction_timeout);

  ScriptedGateway& gateway() { return gateway_; }
  pg::Lane& lane(std::size_t index = 0) { return lanes_.at(index % lanes_.size()); }
  const idempotency::Engine& engine() const { return engine_; }
  // Of a request with this path.
  const idempotency::Flow& flow(const std::string& path, const std::string& method = "POST") const;

  // One attempt, on one lane; see answer_of().
  std::future<idempotency::Outcome> start(idempotency::Request request, std::size_t lane = 0);
  idempotency::Outcome run(idempotency::Request request, std::size_t lane = 0);

 private:
  ScriptedGateway gateway_;
  Log log_;
  endpoints::Endpoints endpoints_;
  idempotency::Engine engine_;
  // Last, so that it goes first: nothing runs on the others any more.
  pg::Lanes lanes_;
};

// Keeps a lane from doing anything while this lives: what comes meanwhile travels together.
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

// The result, within 30 s; else throws std::runtime_error.
idempotency::Outcome answer_of(std::future<idempotency::Outcome>& attempt);

// "201", or "201 replayed", or the name of the refusal such as "in_progress": one word to compare in a test.
std::string describe(const idempotency::Outcome& outcome);
// The body of an answer; empty for a refusal.
std::string body_of(const idempotency::Outcome& outcome);

}  // namespace rocket::spec
