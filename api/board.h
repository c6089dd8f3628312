#pragma once

#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "api/failure.h"
#include "rocket/pg/lane.h"

namespace rocket::api {

// What all requests are doing at this moment, for operators. However many look, the database is asked once a
// second: one statement makes the board, and looks again whether everybody who watches still may. Only
// whoever begins to watch costs one statement more.
//
// Used on one lane only.
class Board {
 public:
  // Returns what this process knows by itself, as a JSON object. It is called once for each board.
  using Own = std::function<nlohmann::ordered_json()>;

  // `emails_may_operate`: an e-mail address is enough. Only where nobody but this machine reaches the api.
  Board(bool emails_may_operate, Own own) : emails_may_operate_(emails_may_operate), own_(std::move(own)) {}

  // A JSON object: what this process knows, and "board". It is about a second old at most. Failures: those of
  // credentials that do not permit to operate. Lets database errors through.
  asio::awaitable<Expected<std::string>> look(pg::Lane& lane, std::string credentials);

  // Returns why these credentials do not permit to operate, or nullopt if they do. Lets database errors
  // through.
  asio::awaitable<std::optional<Failure>> find_fault(pg::Lane& lane, std::string credentials,
                                                     SharedRequestIds ids = {}) const;

 private:
  using Clock = std::chrono::steady_clock;

  // Asks the database, or waits for the one who is asking.
  asio::awaitable<void> refresh(pg::Lane& lane);
  asio::awaitable<void> ask(pg::Lane& lane);

  bool emails_may_operate_;
  Own own_;
  std::string board_;
  Clock::time_point board_is_of_{};
  // Why the last asking failed, if it did.
  std::exception_ptr error_;
  // Belongs to the one who is asking. It is cancelled when they have the answer, and never expires.
  std::weak_ptr<asio::steady_timer> asking_;
  // Who may watch, and when they last looked.
  std::unordered_map<std::string, Clock::time_point> watchers_;
};

}  // namespace rocket::api
