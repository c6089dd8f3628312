#include "spec/support/monitoring_files.h"

#include <nlohmann/json.hpp>
#include <regex>

#include "spec/support/paths.h"

namespace rocket::spec {

std::string monitoring_file(const std::string& name) { return source_dir() + "/docs/monitoring/" + name; }

std::vector<AlertRule> alert_rules() {
  const std::string text = contents_of(monitoring_file("alerts.yml"));
  const std::regex begin("- alert: (\\w+)");
  std::vector<AlertRule> rules;
  std::vector<std::size_t> begins;
  for (std::sregex_iterator each(text.begin(), text.end(), begin), end; each != end; ++each) {
    rules.push_back({(*each)[1].str(), {}});
    begins.push_back(static_cast<std::size_t>(each->position()));
  }
  begins.push_back(text.size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    rules[i].text = text.substr(begins[i], begins[i + 1] - begins[i]);
  }
  return rules;
}

std::vector<PanelQuery> dashboard_queries(const std::string& rate_interval) {
  const nlohmann::json dashboard = nlohmann::json::parse(contents_of(monitoring_file("dashboard.json")));
  std::vector<PanelQuery> queries;
  for (const auto& panel : dashboard.at("panels")) {
    if (!panel.contains("targets")) continue;
    for (const auto& target : panel.at("targets")) {
      const auto expression = target.at("expr").get<std::string>();
      queries.push_back({panel.at("title").get<std::string>(),
                         std::regex_replace(expression, std::regex("\\$__rate_interval"), rate_interval)});
    }
  }
  return queries;
}

}  // namespace rocket::spec
