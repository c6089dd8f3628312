#include "spec/support/prometheus_server.h"

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <stdexcept>

#include "spec/support/eventually.h"
#include "spec/support/monitoring_files.h"
#include "spec/support/paths.h"
#include "spec/support/scrape.h"

namespace rocket::spec {
namespace {

// Divides the durations, and only these: those of settings, and the ranges in expressions.
std::string faster(const std::string& text) {
  const std::regex duration("(_interval: |for: |\\[)([0-9]+)([smh])");
  const std::map<std::string, int> seconds{{"s", 1}, {"m", 60}, {"h", 3600}};
  std::string result;
  auto at = text.begin();
  for (std::sregex_iterator each(text.begin(), text.end(), duration), end; each != end; ++each) {
    const auto& found = *each;
    const int milliseconds =
        std::stoi(found[2]) * seconds.at(found[3]) * 1000 / PrometheusServer::kTimesFaster;
    result.append(at, found[0].first);
    result += found[1].str() + std::to_string(milliseconds) + "ms";
    at = found[0].second;
  }
  return result.append(at, text.end());
}

}  // namespace

PrometheusServer::PrometheusServer(const std::map<std::string, std::uint16_t>& ports) {
  std::string directory = (std::filesystem::temp_directory_path() / "rocket_prometheus_XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) throw std::runtime_error("cannot make " + directory);
  directory_ = directory;
  std::ofstream(directory_ / "alerts.yml") << faster(contents_of(monitoring_file("alerts.yml")));
  std::string example = contents_of(monitoring_file("prometheus.yml"));
  for (const auto& [job, port] : ports) {
    const std::string line = "job_name: " + job + "\n    static_configs: [{ targets: [\"127.0.0.1:";
    const auto begin = example.find(line);
    if (begin == std::string::npos) throw std::runtime_error("no job " + job);
    const auto digits = begin + line.size();
    example.replace(digits, example.find('"', digits) - digits, std::to_string(port));
  }
  std::ofstream(directory_ / "prometheus.yml") << faster(example);
  for (int i = 0; i < 20; ++i) {
    port_ = free_port();
    if (!try_to_start()) continue;
    // It looks for them five seconds after its start, however fast its time passes.
    if (eventually([&] { return count("up") == ports.size(); }, std::chrono::seconds(30))) return;
    break;
  }
  const std::string output = process_->output();
  std::filesystem::remove_all(directory_);
  throw std::runtime_error("Prometheus does not start:\n" + output);
}

PrometheusServer::~PrometheusServer() {
  process_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

bool PrometheusServer::try_to_start() {
  process_.emplace("/usr/bin/prometheus", Environment{},
                   std::vector<std::string>{"--config.file=" + (directory_ / "prometheus.yml").string(),
                                            "--storage.tsdb.path=" + (directory_ / "data").string(),
                                            "--web.listen-address=127.0.0.1:" + std::to_string(port_)});
  try {
    process_->wait_for_line("Server is ready to receive web requests", std::chrono::seconds(30));
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

nlohmann::json PrometheusServer::ask(const std::string& path, const std::string& query) const {
  std::vector<std::string> arguments{"-sS", "--max-time", "15", "--get"};
  if (!query.empty()) arguments.insert(arguments.end(), {"--data-urlencode", "query=" + query});
  arguments.push_back("http://127.0.0.1:" + std::to_string(port_) + "/api/v1/" + path);
  const Finished asked = run_to_end("/usr/bin/curl", {}, arguments);
  nlohmann::json answer = nlohmann::json::parse(asked.output, nullptr, false);
  if (answer.is_discarded() || answer.at("status") != "success") {
    throw std::runtime_error("Prometheus says to " + path + ' ' + query + ": " + asked.output + '\n' +
                             process_->output());
  }
  return answer.at("data");
}

nlohmann::json PrometheusServer::samples(const std::string& expression) const {
  return ask("query", expression).at("result");
}

std::size_t PrometheusServer::count(const std::string& expression) const {
  std::size_t numbers = 0;
  for (const auto& sample : samples(expression)) {
    if (sample.at("value").at(1) != "NaN") ++numbers;
  }
  return numbers;
}

std::set<std::string> PrometheusServer::firing() const {
  std::set<std::string> names;
  for (const auto& sample : samples("ALERTS{alertstate=\"firing\"}")) {
    names.insert(sample.at("metric").at("alertname").get<std::string>());
  }
  return names;
}

bool PrometheusServer::fires(const std::string& alert, const std::string& labels) const {
  return count("ALERTS{alertname=\"" + alert + "\", alertstate=\"firing\", " + labels + "}") > 0;
}

std::vector<PrometheusServer::Rule> PrometheusServer::rules() const {
  std::vector<Rule> rules;
  const nlohmann::json data = ask("rules");
  for (const auto& group : data.at("groups")) {
    for (const auto& rule : group.at("rules")) {
      rules.push_back({rule.at("name").get<std::string>(), rule.at("query").get<std::string>()});
    }
  }
  return rules;
}

}  // namespace rocket::spec
