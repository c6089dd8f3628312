#include "spec/fault/examples.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "endpoints/all.h"
#include "spec/support/scripted_gateway.h"

namespace rocket::spec {
namespace {

std::string capitalized(std::string word) {
  std::transform(word.begin() + 1, word.end(), word.begin() + 1,
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  word.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(word.front())));
  return word;
}

}  // namespace

const idempotency::Flows& flows() {
  static ScriptedGateway gateway;
  static const idempotency::Flows all = endpoints::all_flows(gateway, {});
  return all;
}

std::string name_of(const idempotency::Flow& flow) {
  std::string name = capitalized(flow.path.substr(1));
  std::erase(name, '/');
  return flow.method == "POST" ? name : capitalized(flow.method) + name;
}

std::string prepared_path(const idempotency::Flow& flow,
                          const std::function<std::string(const idempotency::Flow&)>& send) {
  if (flow.example.prepared_by.empty()) return flow.path;
  const std::string answer = send(*flows().at("POST", flow.example.prepared_by));
  const nlohmann::json::json_pointer variable(flow.example.variable_at);
  return flow.path + nlohmann::json::parse(answer).at(variable).dump();
}

ClientRequest example_of(const idempotency::Flow& flow, const std::string& path, const std::string& key,
                         const std::string& user) {
  return {flow.method,
          path,
          {{"Authorization", user}, {"Idempotency-Key", key}, {"Content-Type", "application/json"}},
          flow.example.parameters};
}

idempotency::Request engine_example(const idempotency::Flow& flow, const std::string& path,
                                    const std::string& key) {
  idempotency::Request request = engine_ride(key);
  request.method = flow.method;
  request.path = path;
  request.params = flow.example.parameters;
  return request;
}

}  // namespace rocket::spec
