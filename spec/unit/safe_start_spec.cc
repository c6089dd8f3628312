#include "api/safe_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>
#include <vector>

namespace rocket::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> names_of(const std::vector<Danger>& dangers) {
  std::vector<std::string> names;
  for (const Danger& each : dangers) names.emplace_back(each.name);
  return names;
}

TEST(SafeStart, IsWhatADeveloperDoes) {
  EXPECT_THAT(dangers_of({.has_laboratory = true, .is_root = true, .dumps_secrets = true}), IsEmpty());
}

TEST(SafeStart, NeedsTokensInPublicOnly) {
  EXPECT_THAT(dangers_of({.takes_emails = true}), IsEmpty());
  EXPECT_THAT(dangers_of({.is_public = true, .moves_money = true}), IsEmpty());
  EXPECT_THAT(names_of(dangers_of({.is_public = true, .takes_emails = true, .moves_money = true})),
              ElementsAre("email-credentials"));
}

TEST(SafeStart, IsNotWhatADeveloperDoesInPublic) {
  const auto dangers = dangers_of({.is_public = true,
                                   .takes_emails = true,
                                   .has_laboratory = true,
                                   .is_root = true,
                                   .dumps_secrets = true,
                                   .has_open_key_file = true,
                                   .shows_metrics = true});
  EXPECT_THAT(names_of(dangers), ElementsAre("email-credentials", "laboratory", "no-real-charges", "root",
                                             "core-dumps", "open-key-file", "open-metrics"));
  const auto refusal = unsafe_start(dangers, "");
  ASSERT_TRUE(refusal);
  for (const std::string& name : names_of(dangers)) EXPECT_THAT(*refusal, HasSubstr("\n    " + name + ": "));
  EXPECT_THAT(*refusal,
              HasSubstr("API_ALLOW_UNSAFE=email-credentials,laboratory,no-real-charges,root,core-dumps,"
                        "open-key-file,open-metrics"));
}

TEST(SafeStart, HasNoLaboratoryWhereMoneyMoves) {
  EXPECT_THAT(names_of(dangers_of({.has_laboratory = true, .moves_money = true})), ElementsAre("laboratory"));
}

TEST(SafeStart, NeedsAKeyFileOfItsOwn) {
  EXPECT_THAT(names_of(dangers_of({.has_open_key_file = true})), ElementsAre("open-key-file"));
  const std::string file = testing::TempDir() + "rocket_key_file";
  std::ofstream(file) << "sk_test_1\n";
  for (const auto& [mode, open] : {std::pair{0600, false}, {0640, false}, {0644, true}, {0602, true}}) {
    ASSERT_EQ(::chmod(file.c_str(), static_cast<mode_t>(mode)), 0);
    EXPECT_EQ(is_open_to_others(file), open) << std::oct << mode;
  }
  std::remove(file.c_str());
  EXPECT_FALSE(is_open_to_others(file));
  EXPECT_FALSE(is_open_to_others(""));
}

TEST(SafeStart, MayBeDoneWithoutByName) {
  const auto dangers =
      dangers_of({.is_public = true, .takes_emails = true, .moves_money = true, .is_root = true});
  EXPECT_EQ(unsafe_start(dangers, " email-credentials , root "), std::nullopt);
  const auto refusal = unsafe_start(dangers, "root");
  ASSERT_TRUE(refusal);
  EXPECT_THAT(*refusal, HasSubstr("API_ALLOW_UNSAFE=email-credentials"));
  EXPECT_THAT(*refusal, testing::Not(HasSubstr("root:")));
  EXPECT_THAT(unsafe_start(dangers, "root,everything").value_or(""), HasSubstr("everything"));
  EXPECT_THAT(unsafe_start(dangers, "all").value_or(""), HasSubstr("open-key-file"));
  EXPECT_EQ(unsafe_start({}, ""), std::nullopt);
}

}  // namespace
}  // namespace rocket::api
