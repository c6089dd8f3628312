#include "rocket/endpoints/endpoint.h"

namespace rocket::endpoints {

const Endpoint& Endpoints::at(std::string_view method, std::string_view path) const {
  for (const Endpoint& endpoint : all_) {
    if (endpoint.method == method && endpoint.path.text() == path) return endpoint;
  }
  throw std::out_of_range("no endpoint " + std::string(method) + ' ' + std::string(path));
}

const Endpoint* Endpoints::find(std::string_view method, std::string_view path) const {
  for (const Endpoint& endpoint : all_) {
    if (endpoint.method == method && endpoint.path.match(path)) return &endpoint;
  }
  return nullptr;
}

std::vector<pg::Statement> Endpoints::statements() const {
  std::vector<pg::Statement> all;
  for (const Endpoint& endpoint : all_) {
    for (const pg::Statement& statement : endpoint.flow.statements()) all.push_back(statement);
  }
  return all;
}

std::vector<pg::Statement> Endpoints::statements_after_claim() const {
  std::vector<pg::Statement> all;
  for (const Endpoint& endpoint : all_) {
    for (const pg::Statement& statement : endpoint.flow.statements_after_claim()) all.push_back(statement);
  }
  return all;
}

}  // namespace rocket::endpoints
