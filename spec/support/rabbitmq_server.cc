#include "spec/support/rabbitmq_server.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <utility>

#include "spec/support/eventually.h"

namespace rocket::spec {
namespace {

namespace fs = std::filesystem;

constexpr amqp_channel_t kChannel = 1;

// Erlang code that evaluates the file "ask" and writes the file "answer". A test would otherwise have to
// start rabbitmqctl, which starts another Erlang each time.
std::string answering(const fs::path& folder) {
  const auto quoted = [&](const char* name) { return "\"" + (folder / name).string() + "\""; };
  return "spawn(fun Serve() -> case file:rename(" + quoted("ask") + "," + quoted("asked") +
         ") of ok -> file:write_file(" + quoted("answer.part") + ", io_lib:format(\"~0tp\", [file:script(" +
         quoted("asked") + ")])), file:rename(" + quoted("answer.part") + "," + quoted("answer") +
         "); _ -> ok end, timer:sleep(10), Serve() end).";
}

std::string text_of(const amqp_bytes_t& bytes) { return {static_cast<const char*>(bytes.bytes), bytes.len}; }

class Client {
 public:
  explicit Client(std::uint16_t port) : connection_(amqp_new_connection(), amqp_destroy_connection) {
    amqp_socket_t* socket = amqp_tcp_socket_new(state());
    if (amqp_socket_open(socket, "127.0.0.1", port) != AMQP_STATUS_OK) {
      throw std::runtime_error("no connection to RabbitMQ");
    }
    check(amqp_login(state(), "/", 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
    amqp_channel_open(state(), kChannel);
    check(amqp_get_rpc_reply(state()));
  }

  std::optional<RabbitMqServer::Message> take(const std::string& queue) {
    const amqp_rpc_reply_t got = amqp_basic_get(state(), kChannel, amqp_cstring_bytes(queue.c_str()), 1);
    check(got);
    if (got.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) return std::nullopt;
    amqp_message_t message{};
    check(amqp_read_message(state(), kChannel, &message, 0));
    const std::unique_ptr<amqp_message_t, decltype(&amqp_destroy_message)> owned(&message,
                                                                                 amqp_destroy_message);
    const auto& about = message.properties;
    RabbitMqServer::Message taken{text_of(about.message_id), text_of(about.type), text_of(about.content_type),
                                  about.timestamp,           about.delivery_mode, text_of(message.body)};
    for (int i = 0; i < about.headers.num_entries; ++i) {
      const amqp_table_entry_t& header = about.headers.entries[i];
      if (text_of(header.key) == "traceparent") taken.traceparent = text_of(header.value.value.bytes);
    }
    amqp_maybe_release_buffers(state());
    return taken;
  }

  std::size_t count(const std::string& queue) {
    const auto* found = amqp_queue_declare(state(), kChannel, amqp_cstring_bytes(queue.c_str()), 1, 0, 0, 0,
                                           amqp_empty_table);
    check(amqp_get_rpc_reply(state()));
    return found->message_count;
  }

  void delete_queue(const std::string& queue) {
    amqp_queue_delete(state(), kChannel, amqp_cstring_bytes(queue.c_str()), 0, 0);
    check(amqp_get_rpc_reply(state()));
  }

 private:
  amqp_connection_state_t state() const { return connection_.get(); }

  static void check(const amqp_rpc_reply_t& reply) {
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
      throw std::runtime_error("RabbitMQ refuses the test's client");
  }

  std::unique_ptr<amqp_connection_state_t_, decltype(&amqp_destroy_connection)> connection_;
};

}  // namespace

RabbitMqServer::RabbitMqServer(std::string tls_folder) : tls_folder_(std::move(tls_folder)) {
  std::string directory = (fs::temp_directory_path() / "rocket_rabbitmq_XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) throw std::runtime_error("cannot make " + directory);
  directory_ = directory;
  // Below the range of ports that the kernel gives to sockets that ask for any port, so that these ports are
  // still free after a kill.
  std::uniform_int_distribution<std::uint16_t> any_port(20'000, 32'000);
  std::random_device random;
  for (int i = 0; i < 3; ++i) {
    for (std::uint16_t* port : {&port_, &tls_port_, &node_port_, &mapper_port_}) *port = any_port(random);
    if (try_to_start()) return;
    // The server is slow, but it got its ports.
    if (process_ && process_->running()) break;
  }
  fs::remove_all(directory_);
  throw std::runtime_error("rabbitmq-server does not start:\n" + output());
}

RabbitMqServer::~RabbitMqServer() {
  process_.reset();
  mapper_.reset();
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

std::string RabbitMqServer::url(const std::string& login) const {
  return "amqp://" + login + "127.0.0.1:" + std::to_string(port_);
}

void RabbitMqServer::start() {
  if (!try_to_start()) throw std::runtime_error("rabbitmq-server does not start:\n" + output());
}

std::string RabbitMqServer::output() const { return process_ ? process_->output() : mapper_->output(); }

void RabbitMqServer::write_configuration() const {
  std::ofstream file(directory_ / "advanced.config");
  file << "[{rabbit, [{tcp_listeners, [{\"127.0.0.1\", " << port_
       << "}]}, {disk_free_limit, 1000000},"
          " {log, [{file, [{file, false}]}, {console, [{enabled, true}, {level, warning}]}]}";
  if (!tls_folder_.empty()) {
    file << ", {ssl_listeners, [{\"127.0.0.1\", " << tls_port_ << "}]}, {ssl_options, [{certfile, \""
         << tls_folder_ << "/certificate.pem\"}, {keyfile, \"" << tls_folder_
         << "/key.pem\"}, {cacertfile, \"" << tls_folder_ << "/certificate.pem\"}]}";
  }
  file << "]}].\n";
}

bool RabbitMqServer::try_to_start() {
  write_configuration();
  // Otherwise two of RabbitMQ's processes create the folder at the same time, and one of them fails.
  fs::create_directory(directory_ / "log");
  const Environment mapper{{"ERL_EPMD_PORT", std::to_string(mapper_port_)},
                           {"ERL_EPMD_ADDRESS", "127.0.0.1"}};
  Environment environment{{"HOME", directory_},
                          {"RABBITMQ_CONF_ENV_FILE", "/dev/null"},
                          // Only the configuration in Erlang's format: reading the other format takes a
                          // second.
                          {"RABBITMQ_CONFIG_FILE", directory_ / "none.conf"},
                          {"RABBITMQ_ADVANCED_CONFIG_FILE", directory_ / "advanced.config"},
                          // Every other feature flag takes time, and we need none of them.
                          {"RABBITMQ_FEATURE_FLAGS", "quorum_queue"},
                          {"RABBITMQ_ENABLED_PLUGINS_FILE", directory_ / "plugins"},
                          {"RABBITMQ_MNESIA_BASE", directory_ / "data"},
                          {"RABBITMQ_LOG_BASE", directory_ / "log"},
                          {"RABBITMQ_NODENAME", "spec@localhost"},
                          {"RABBITMQ_NODE_PORT", std::to_string(port_)},
                          {"RABBITMQ_DIST_PORT", std::to_string(node_port_)},
                          // The script then replaces itself with Erlang (exec) instead of waiting for it.
                          {"RABBITMQ_ALLOW_INPUT", "1"}};
  environment.insert(mapper.begin(), mapper.end());
  try {
    // Without our port mapper, Erlang would start one that stays after the test.
    mapper_.emplace("/usr/bin/epmd", mapper, std::vector<std::string>{"-d"});
    mapper_->wait_for_line("epmd running");
    process_.emplace("/usr/lib/rabbitmq/bin/rabbitmq-server", environment,
                     // One scheduler thread. Idle threads do not spin.
                     std::vector<std::string>{"-noinput", "-kernel", "inet_dist_use_interface", "{127,0,0,1}",
                                              "+S", "1:1", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio",
                                              "none", "-eval", answering(directory_)});
    process_->wait_for_line("completed with", std::chrono::seconds(200));
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

void RabbitMqServer::kill() {
  process_->kill(SIGKILL);
  process_->wait_for_exit();
}

std::string RabbitMqServer::evaluate(const std::string& expressions) const {
  std::ofstream(directory_ / "ask.part") << expressions << ".\n";
  fs::remove(directory_ / "answer");
  fs::rename(directory_ / "ask.part", directory_ / "ask");
  if (!eventually([&] { return fs::exists(directory_ / "answer"); })) {
    throw std::runtime_error("no answer from Erlang; output:\n" + process_->output());
  }
  std::ifstream file(directory_ / "answer");
  const std::string answer((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::string begin = "{ok,";
  if (!answer.starts_with(begin)) throw std::runtime_error(expressions + " -> " + answer);
  return answer.substr(begin.size(), answer.size() - begin.size() - 1);
}

std::vector<RabbitMqServer::Message> RabbitMqServer::take_all(const std::string& queue) const {
  Client client(port_);
  std::vector<Message> messages;
  while (auto message = client.take(queue)) messages.push_back(std::move(*message));
  return messages;
}

std::vector<std::string> RabbitMqServer::take_ids(const std::string& queue) const {
  std::vector<std::string> ids;
  for (const Message& message : take_all(queue)) ids.push_back(message.id);
  return ids;
}

std::size_t RabbitMqServer::count(const std::string& queue) const { return Client(port_).count(queue); }

void RabbitMqServer::delete_queue(const std::string& queue) const { Client(port_).delete_queue(queue); }

}  // namespace rocket::spec
