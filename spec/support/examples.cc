#include "spec/support/examples.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "rocket/endpoints/all.h"
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

const endpoints::Endpoints& all_endpoints() {
  static ScriptedGateway gateway;
  static const endpoints::Endpoints all = endpoints::all_endpoints(gateway, {});
  return all;
}

std::string name_of(const endpoints::Endpoint& endpoint) {
  std::string name = endpoint.method == "POST" ? "" : capitalized(endpoint.method);
  std::istringstream segments(endpoint.path.text().substr(1));
  for (std::string segment; std::getline(segments, segment, '/');) {
    if (segment.front() != '{') name += capitalized(segment);
  }
  return name;
}

Prepared prepare(const endpoints::Endpoint& endpoint, const Send& send) {
  auto parameters = nlohmann::json::parse(endpoint.example.parameters);
  std::map<std::string, std::string> variables;
  // The answer of one example may give several values.
  std::map<const endpoints::Endpoint*, nlohmann::json> answers;
  for (const auto& [name, reference] : endpoint.example.from) {
    const endpoints::Endpoint* before = &all_endpoints().at(reference.method, reference.path);
    if (!answers.contains(before)) {
      answers[before] = nlohmann::json::parse(send(*before, prepare(*before, send)));
    }
    const nlohmann::json& value = answers[before].at(nlohmann::json::json_pointer(reference.pointer));
    const auto& own = endpoint.path.variables();
    if (std::find(own.begin(), own.end(), name) == own.end()) {
      parameters[name] = value;
    } else {
      variables[name] = value.is_string() ? value.get<std::string>() : value.dump();
    }
  }
  std::vector<std::string> values;
  for (const std::string& name : endpoint.path.variables()) values.push_back(variables.at(name));
  return {endpoint.path.filled(values), parameters.dump()};
}

ClientRequest example_of(const endpoints::Endpoint& endpoint, const Prepared& prepared,
                         const std::string& key, const std::string& user) {
  return {endpoint.method,
          prepared.path,
          {{"Authorization", user}, {"Idempotency-Key", key}, {"Content-Type", "application/json"}},
          prepared.parameters};
}

idempotency::Request engine_example(const endpoints::Endpoint& endpoint, const Prepared& prepared,
                                    const std::string& key) {
  idempotency::Request request = engine_ride(key);
  request.method = endpoint.method;
  request.path = prepared.path;
  request.params = prepared.parameters;
  return request;
}

std::multiset<std::string> moved_ids(TestDatabase& database) {
  std::multiset<std::string> ids;
  for (const endpoints::Endpoint& endpoint : all_endpoints()) {
    for (const endpoints::Effect& effect : endpoint.effects) {
      if (effect.call_id.empty()) continue;
      for (const auto& row : database.rows("SELECT " + effect.call_id + " FROM " + effect.table + " WHERE " +
                                           effect.call_id + " IS NOT NULL")) {
        ids.insert(*row[0]);
      }
    }
  }
  return ids;
}

}  // namespace rocket::spec
