#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "api/queries.h"
#include "spec/integration/expectations.h"
#include "spec/support/api_process.h"
#include "spec/support/requests.h"

// GET /rides: a user's rides, newest first, a page at a time.
namespace rocket::spec {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kBook =
    "INSERT INTO rides (idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon, "
    " price_cents) SELECT gen_random_uuid(), $1::bigint, 1.5, -2.25, 3, 4, 2000 FROM generate_series(1, "
    "$2::int)";

class RideListSpec : public testing::Test {
 protected:
  // Books rides. Their contents do not matter.
  void book(int count, const std::string& user_id = "1") {
    database_.execute(kBook, {user_id, std::to_string(count)});
  }

  ClientResponse send(const std::string& query, const std::string& user = kUser) {
    return connection_.exchange(get_request("/rides" + query, user));
  }
  json page(const std::string& query, const std::string& user = kUser) {
    const auto response = send(query, user);
    EXPECT_EQ(response.status, 200) << response.body;
    return json::parse(response.body, nullptr, false);
  }
  static std::vector<std::int64_t> ids(const json& page) {
    std::vector<std::int64_t> ids;
    for (const json& ride : page.at("rides")) ids.push_back(ride.at("id").get<std::int64_t>());
    return ids;
  }
  static std::string after(const json& page) {
    return "&cursor=" + page.at("next_cursor").get<std::string>();
  }

  TestDatabase database_;
  ApiProcess api_{database_};
  HttpConnection connection_ = api_.connect();
};

TEST_F(RideListSpec, IsEmptyAtFirst) { EXPECT_EQ(send("").body, R"({"rides":[],"next_cursor":null})"); }

TEST_F(RideListSpec, ShowsEachRideAsItIsShownAlone) {
  api_.send(ride_request(new_key()));
  api_.send(ride_request(new_key(), kUser, std::string(kRideForm) + "&raise_error=true"));
  api_.send(ride_request(new_key()));
  api_.send(cancel_request(database_.value("SELECT max(id) FROM rides")));
  const json rides = page("").at("rides");
  ASSERT_EQ(rides.size(), 3U);
  std::vector<std::string> states;
  for (const json& ride : rides) {
    const auto alone = api_.send(get_request("/rides/" + std::to_string(ride.at("id").get<int>())));
    EXPECT_EQ(json::parse(alone.body).at("ride"), ride);
    states.push_back(ride.at("state").get<std::string>());
  }
  EXPECT_EQ(states, (std::vector<std::string>{"cancelled", "unfinished", "charged"}));
}

TEST_F(RideListSpec, ShowsNobodyElsesRides) {
  book(3);
  book(2, "2");
  EXPECT_EQ(ids(page("")), (std::vector<std::int64_t>{3, 2, 1}));
  EXPECT_EQ(ids(page("", kDeclinedUser)), (std::vector<std::int64_t>{5, 4}));
  // A cursor is only a position. It gives no right to other users' rides.
  EXPECT_EQ(ids(page("?limit=100" + after(page("?limit=1")), kDeclinedUser)), std::vector<std::int64_t>());
  expect_failure(connection_.exchange({"GET", "/rides", {}, ""}), 401, "credentials_missing");
  expect_failure(send("", "stranger@example.com"), 401, "credentials_invalid");
}

TEST_F(RideListSpec, HasTwentyOnAPageOrAsManyAsAreAskedFor) {
  book(101);
  EXPECT_EQ(page("").at("rides").size(), 20U);
  EXPECT_EQ(page("?limit=100").at("rides").size(), 100U);
  EXPECT_EQ(ids(page("?limit=1")), std::vector<std::int64_t>{101});
  const json last = page("?limit=100" + after(page("?limit=100")));
  EXPECT_EQ(ids(last), std::vector<std::int64_t>{1});
  EXPECT_TRUE(last.at("next_cursor").is_null());
  // The page ends exactly at the last ride.
  EXPECT_TRUE(page("?limit=1" + after(page("?limit=100"))).at("next_cursor").is_null());
}

TEST_F(RideListSpec, ShowsNoRideTwiceAndLeavesNoneOutWhileOthersAreBooked) {
  book(20);
  // This ride has its number now, but it is committed only after the list has passed that number.
  auto late = database_.open_session();
  late.execute("BEGIN");
  late.execute(kBook, {"1", "1"});
  book(2);
  std::vector<std::int64_t> seen;
  std::string cursor;
  for (int pages = 1; pages < 20; ++pages) {
    const json got = page("?limit=5" + cursor);
    for (const auto id : ids(got)) seen.push_back(id);
    if (got.at("next_cursor").is_null()) break;
    cursor = after(got);
    book(3);
    book(1, "2");
    if (pages == 1) late.execute("COMMIT");
  }
  // The list has the newest ride first, each ride once, and all rides that existed at the beginning.
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end(), std::less_equal<>()), seen.end());
  const std::set<std::int64_t> all(seen.begin(), seen.end());
  for (std::int64_t id = 1; id <= 23; ++id) EXPECT_TRUE(all.contains(id) || id == 21) << id;
  EXPECT_EQ(all.size(), seen.size());
}

TEST_F(RideListSpec, RefusesWhatIsNoPage) {
  book(1);
  for (const char* query :
       {"?limit=0", "?limit=101", "?limit=-1", "?limit=", "?limit=1.0", "?limit=ten", "?limit=1&limit=2",
        "?cursor=", "?cursor=1", "?cursor=0000000000000000", "?cursor=ffffffffffffffff",
        "?cursor=000000000000000G", "?cursor=00000000000000001", "?cursor=%zz", "?cursor=0000000000000001%00",
        "?limit=5&cursor=%27"}) {
    expect_failure(send(query), 400, "parameter_invalid");
  }
  // Credentials are checked first.
  expect_failure(send("?limit=0", "stranger@example.com"), 401, "credentials_invalid");
  expect_failure(connection_.exchange({"GET", "/rides?limit=0", {}, ""}), 401, "credentials_missing");
  // Unknown parameters are ignored.
  EXPECT_EQ(ids(page("?verbose&limit=%31&")), std::vector<std::int64_t>{1});
}

TEST_F(RideListSpec, AnswersHeadWithoutItsBody) {
  book(1);
  ClientRequest head = get_request("/rides");
  head.method = "HEAD";
  const auto response = api_.send(head);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(response.header("content-length"), std::to_string(send("").body.size()));
}

TEST_F(RideListSpec, IsReadFromItsIndexHoweverManyRidesOthersHave) {
  // Few users with many rides are the worst case: the planner could be tempted to read the other users'
  // rides.
  book(50);
  book(20000, "2");
  auto session = database_.open_session();
  session.execute("ANALYZE rides");
  const auto statements = api::query_statements();
  const auto list = std::find_if(statements.begin(), statements.end(), [](const pg::Statement& each) {
    return std::string(each.name) == "list_rides";
  });
  ASSERT_NE(list, statements.end());
  session.execute(std::string("PREPARE list AS ") + list->sql);
  // Checks the plans of the first executions, and the generic plan that the server uses later.
  for (int i = 0; i < 7; ++i) {
    std::string plan;
    for (const auto& row : session.rows("EXPLAIN EXECUTE list('user@example.com', '9000000', '20')"))
      plan += *row[0] + '\n';
    EXPECT_THAT(plan, HasSubstr("Index Scan Backward using rides_of_user on rides"));
    EXPECT_THAT(plan, HasSubstr("Index Cond: ((user_id >= "));
    EXPECT_THAT(plan, Not(HasSubstr("Sort")));
    EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on rides")));
    EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on idempotency_keys")));
  }
}

}  // namespace
}  // namespace rocket::spec
