#include "rocket/jobs/redis_connection.h"

#include <hiredis/hiredis.h>

#include <array>
#include <memory>
#include <new>
#include <stdexcept>

namespace rocket::jobs {
namespace {

using Reader = std::unique_ptr<redisReader, decltype(&redisReaderFree)>;
using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

// Removes the arguments from the error for an unknown command: Redis quotes them, and one may be a password.
std::string without_arguments(const std::string& error) { return error.substr(0, error.find(", with args")); }

// nullptr when no whole reply has arrived yet.
Reply next_reply(const Reader& reader) {
  void* reply = nullptr;
  if (redisReaderGetReply(reader.get(), &reply) != REDIS_OK) {
    throw std::runtime_error(std::string("an answer that is not Redis's: ") + reader->errstr);
  }
  return {static_cast<redisReply*>(reply), freeReplyObject};
}

}  // namespace

void RedisCommands::add(const std::vector<std::string_view>& words) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  texts.reserve(words.size());
  sizes.reserve(words.size());
  for (const std::string_view word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* formatted = nullptr;
  const int size =
      redisFormatCommandArgv(&formatted, static_cast<int>(words.size()), texts.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  const std::unique_ptr<char, decltype(&redisFreeCommand)> owned(formatted, redisFreeCommand);
  bytes_.append(formatted, static_cast<std::size_t>(size));
  ++count_;
}

std::vector<RedisConnection::Refusal> RedisConnection::exchange(const RedisCommands& commands,
                                                                Deadline deadline) {
  stream_.write(commands.bytes(), deadline);
  const Reader reader(redisReaderCreate(), redisReaderFree);
  std::vector<Refusal> refusals;
  std::array<char, 4096> bytes{};
  while (refusals.size() < commands.count()) {
    const std::size_t size = stream_.read(bytes, deadline);
    redisReaderFeed(reader.get(), bytes.data(), size);
    while (const Reply reply = next_reply(reader)) {
      refusals.push_back(reply->type == REDIS_REPLY_ERROR
                             ? Refusal(without_arguments(std::string(reply->str, reply->len)))
                             : std::nullopt);
    }
  }
  return refusals;
}

bool RedisConnection::has_ended() {
  // No command was sent, so there is nothing to read but the end of the connection.
  std::array<char, 1> unexpected{};
  try {
    return stream_.read_at_once(unexpected) > 0;
  } catch (const std::runtime_error&) {
    return true;
  }
}

}  // namespace rocket::jobs
