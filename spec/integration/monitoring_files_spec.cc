#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "spec/support/child_process.h"
#include "spec/support/monitoring_files.h"
#include "spec/support/paths.h"

// docs/monitoring and the runbook: what can be seen without running anything. HeavyMonitoring tries the rules
// and the dashboard on the real processes.
namespace rocket::spec {
namespace {

using nlohmann::json;
using testing::AnyOf;
using testing::HasSubstr;
using testing::MatchesRegex;

Finished promtool(const std::vector<std::string>& arguments) {
  return run_to_end("/usr/bin/promtool", {}, arguments);
}

std::string in_lower_case(std::string text) {
  for (char& each : text) {
    if (each >= 'A' && each <= 'Z') each = static_cast<char>(each - 'A' + 'a');
  }
  return text;
}

std::set<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex name(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator each(text.begin(), text.end(), name), end; each != end; ++each) {
    found.insert((*each)[1].str());
  }
  return found;
}

std::set<std::string> names_of_alerts() {
  std::set<std::string> names;
  for (const AlertRule& rule : alert_rules()) names.insert(rule.name);
  return names;
}

TEST(MonitoringFiles, AreAConfigurationThatPrometheusTakes) {
  // This checks alerts.yml too.
  const Finished checked = promtool({"check", "config", monitoring_file("prometheus.yml")});
  EXPECT_EQ(checked.exit.code, 0) << checked.output;
  EXPECT_THAT(checked.output, HasSubstr(std::to_string(alert_rules().size()) + " rules found"));
}

TEST(MonitoringFiles, ScrapeEachProcessAtItsDefaultPort) {
  const std::string configuration = contents_of(monitoring_file("prometheus.yml"));
  for (const std::string process : {"api", "completer", "enqueuer", "reaper", "simulator"}) {
    const std::string help = run_to_end(process, {}, {"--help"}).output;
    std::smatch port;
    ASSERT_TRUE(std::regex_search(help, port, std::regex("--metrics-port [^\n]*\n[^\n]*default ([0-9]+)\n")))
        << help;
    EXPECT_THAT(configuration,
                HasSubstr("- job_name: rocket-" + process +
                          "\n    static_configs: [{ targets: [\"127.0.0.1:" + port[1].str() + "\"] }]\n"));
  }
}

TEST(MonitoringFiles, HaveAlertsThatFireAsTheirTestsSay) {
  const Finished tested = promtool({"test", "rules", monitoring_file("alerts_test.yml")});
  EXPECT_EQ(tested.exit.code, 0) << tested.output;
}

TEST(MonitoringFiles, TestEachAlertWhereItFiresAndWhereItDoesNot) {
  const std::string tests = contents_of(monitoring_file("alerts_test.yml"));
  for (const std::string& name : names_of_alerts()) {
    const std::string look = "- expr: ALERTS\\{alertname=\"" + name +
                             "\", alertstate=\"firing\"\\}\n        eval_time: \\w+\n        exp_samples:";
    EXPECT_TRUE(std::regex_search(tests, std::regex(look + "\n"))) << name << " never fires";
    EXPECT_TRUE(std::regex_search(tests, std::regex(look + " \\[\\]"))) << name << " always fires";
  }
}

TEST(MonitoringFiles, TellForEachAlertWhatItMeansAndWhatToDo) {
  for (const auto& [name, text] : alert_rules()) {
    EXPECT_THAT(text, HasSubstr("\n        for: ")) << name;
    EXPECT_THAT(text, AnyOf(HasSubstr("severity: critical\n"), HasSubstr("severity: warning\n"))) << name;
    for (const char* annotation : {"summary", "action"}) {
      EXPECT_TRUE(std::regex_search(text, std::regex(std::string(annotation) + ": .{20,}\\."))) << name;
    }
    EXPECT_THAT(text, HasSubstr("runbook: docs/runbook.md#" + in_lower_case(name) + "\n"));
  }
}

TEST(MonitoringFiles, HaveAPageOfTheRunbookForEachAlertAndNoOther) {
  const std::string runbook = contents_of(source_dir() + "/docs/runbook.md");
  EXPECT_EQ(matches(runbook, "(?:^|\n)## (\\w+)\n"), names_of_alerts());
  const std::string operations = contents_of(source_dir() + "/docs/operations.md");
  EXPECT_EQ(matches(operations, "\\| \\[(\\w+)\\]\\(runbook\\.md#"), names_of_alerts());
  for (const std::string& name : names_of_alerts()) {
    const auto begin = runbook.find("## " + name + "\n");
    const std::string page = runbook.substr(begin, runbook.find("\n## ", begin) - begin);
    for (const char* part : {"**It means** ", "**See more.**", "**Do.**", "**It is over when** "}) {
      EXPECT_THAT(page, HasSubstr(part)) << name;
    }
    EXPECT_THAT(operations, HasSubstr("](runbook.md#" + in_lower_case(name) + ")"));
  }
}

// Links to other sections and files must lead somewhere.
TEST(MonitoringFiles, HaveARunbookWhoseLinksLeadSomewhere) {
  const auto anchors_of = [](const std::string& file) {
    std::set<std::string> anchors;
    for (std::string title : matches(contents_of(file), "\n#+ ([^\n]+)")) {
      title = in_lower_case(title);
      title = std::regex_replace(title, std::regex("[^a-z0-9 -]"), "");
      anchors.insert(std::regex_replace(title, std::regex(" "), "-"));
    }
    return anchors;
  };
  const std::string docs = source_dir() + "/docs/";
  const std::regex parts("([^#]*)(?:#(.*))?");
  for (const std::string& link : matches(contents_of(docs + "runbook.md"), "\\]\\(([^)]+)\\)")) {
    std::smatch found;
    ASSERT_TRUE(std::regex_match(link, found, parts));
    const std::string file = docs + (found[1].length() > 0 ? found[1].str() : "runbook.md");
    EXPECT_TRUE(std::filesystem::exists(file)) << link;
    if (found[2].length() > 0) {
      EXPECT_TRUE(anchors_of(file).contains(found[2].str())) << link;
    }
  }
}

TEST(MonitoringFiles, HaveADashboardThatGrafanaCanImport) {
  const json dashboard = json::parse(contents_of(monitoring_file("dashboard.json")));
  EXPECT_TRUE(dashboard.at("id").is_null()) << "Grafana gives ids";
  EXPECT_FALSE(dashboard.contains("uid")) << "Grafana gives ids";
  // The version of Grafana 9.0. Newer ones migrate from it.
  EXPECT_EQ(dashboard.at("schemaVersion"), 37);
  const json& variable = dashboard.at("templating").at("list").at(0);
  EXPECT_EQ(variable.at("name"), "datasource");
  EXPECT_EQ(variable.at("type"), "datasource");
  EXPECT_EQ(variable.at("query"), "prometheus");
  const json data_source{{"type", "prometheus"}, {"uid", "${datasource}"}};
  std::set<int> ids;
  std::map<std::string, int> titles;
  for (const json& panel : dashboard.at("panels")) {
    const auto title = panel.at("title").get<std::string>();
    EXPECT_TRUE(ids.insert(panel.at("id").get<int>()).second) << title;
    if (panel.at("type") == "row") continue;
    EXPECT_EQ(++titles[title], 1) << title;
    EXPECT_THAT(panel.at("type").get<std::string>(), AnyOf("timeseries", "stat", "table")) << title;
    EXPECT_THAT(panel.at("description").get<std::string>(), HasSubstr(".")) << title;
    EXPECT_EQ(panel.at("datasource"), data_source) << title;
    EXPECT_TRUE(panel.at("fieldConfig").at("defaults").is_object()) << title;
    EXPECT_TRUE(panel.at("options").is_object()) << title;
    std::set<std::string> references;
    for (const json& target : panel.at("targets")) {
      EXPECT_EQ(target.at("datasource"), data_source) << title;
      EXPECT_THAT(target.at("refId").get<std::string>(), MatchesRegex("[A-Z]")) << title;
      EXPECT_TRUE(references.insert(target.at("refId").get<std::string>()).second) << title;
      EXPECT_FALSE(target.at("expr").get<std::string>().empty()) << title;
    }
    EXPECT_FALSE(references.empty()) << title;
  }
}

// Grafana moves panels that overlap or leave gaps, and the order of an incident would be lost.
TEST(MonitoringFiles, HaveADashboardWithoutGapsAndOverlaps) {
  const json dashboard = json::parse(contents_of(monitoring_file("dashboard.json")));
  constexpr int kColumns = 24;
  std::set<std::pair<int, int>> taken;
  int height = 0;
  int row = -1;
  for (const json& panel : dashboard.at("panels")) {
    const json& at = panel.at("gridPos");
    const int left = at.at("x").get<int>();
    const int top = at.at("y").get<int>();
    const int width = at.at("w").get<int>();
    const int bottom = top + at.at("h").get<int>();
    EXPECT_LE(left + width, kColumns) << panel.at("title");
    EXPECT_GT(top, row) << panel.at("title") << " stands above its row";
    if (panel.at("type") == "row") row = top;
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < left + width; ++x) {
        EXPECT_TRUE(taken.emplace(x, y).second) << panel.at("title") << " overlaps another panel";
      }
    }
    height = std::max(height, bottom);
  }
  EXPECT_EQ(taken.size(), static_cast<std::size_t>(kColumns * height)) << "there are gaps";
}

TEST(MonitoringFiles, HaveADashboardWhoseQueriesPrometheusUnderstands) {
  std::string directory = (std::filesystem::temp_directory_path() / "rocket_queries_XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  json rules = json::array();
  for (const PanelQuery& each : dashboard_queries("1m")) {
    rules.push_back({{"record", "panel:query" + std::to_string(rules.size())}, {"expr", each.expression}});
  }
  const std::string file = directory + "/rules.yml";
  // JSON is YAML.
  std::ofstream(file) << json{{"groups", {{{"name", "dashboard"}, {"rules", rules}}}}};
  const Finished checked = promtool({"check", "rules", file});
  std::filesystem::remove_all(directory);
  EXPECT_EQ(checked.exit.code, 0) << checked.output;
  EXPECT_GT(rules.size(), 40U);
}

}  // namespace
}  // namespace rocket::spec
