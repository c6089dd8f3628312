#pragma once

#include <string>
#include <vector>

// The files in docs/monitoring.
namespace rocket::spec {

// The path of one of them.
std::string monitoring_file(const std::string& name);

struct AlertRule {
  std::string name;
  // Its lines in alerts.yml.
  std::string text;
};
// In the order of the file.
std::vector<AlertRule> alert_rules();

struct PanelQuery {
  std::string panel;
  std::string expression;
};
// The queries of the dashboard. `rate_interval`, such as "1m", takes the place of Grafana's variable.
std::vector<PanelQuery> dashboard_queries(const std::string& rate_interval);

}  // namespace rocket::spec
