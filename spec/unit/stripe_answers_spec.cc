#include "rocket/payments/stripe_answers.h"

#include <gtest/gtest.h>

#include <ctime>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "spec/unit/stripe_answer_cases.h"

// What Stripe's answers to charges mean, and when to call again. stripe_refund_answers_spec.cc has the
// refunds.
namespace rocket::payments {
namespace {

const ChargeRequest kRequest{"the-charge-key", "cus_user", 2000, "usd", "7"};

template <typename Result>
std::string name_of(const Result& result) {
  if (const auto* charged = std::get_if<Charged>(&result)) return "charged " + charged->charge_id;
  if (std::holds_alternative<NoAnswer>(result)) return "no answer";
  if constexpr (std::is_same_v<Result, ChargeResult>) {
    if (const auto* declined = std::get_if<Declined>(&result)) return "declined " + declined->decline_code;
    return "rejected";
  } else {
    return std::holds_alternative<NeverCharged>(result) ? "never charged" : "unknown";
  }
}

class ChargeAnswer : public testing::TestWithParam<Case> {};

TEST_P(ChargeAnswer, IsSorted) {
  EXPECT_EQ(name_of(stripe::charge_result(kRequest, GetParam().answer)), GetParam().means);
}

INSTANTIATE_TEST_SUITE_P(
    Of, ChargeAnswer,
    testing::ValuesIn(std::vector<Case>{
        {"Charge", {200, {}, charge("ch_1", "succeeded", kOurs)}, "charged ch_1"},
        {"PendingCharge", {200, {}, charge("ch_1", "pending", kOurs)}, "no answer"},
        {"UnknownStatus", {200, {}, charge("ch_1", "paid", kOurs)}, "no answer"},
        {"FailedCharge",
         {200, {}, charge("ch_1", "failed", kOurs + R"(,"outcome":{"reason":"fraud"})")},
         "declined generic_decline"},
        {"OtherCharge",
         {200, {}, charge("ch_1", "succeeded", R"("metadata":{"charge_key":"other"})")},
         "no answer"},
        {"ChargeWithoutMetadata", {200, {}, charge("ch_1", "succeeded", R"("x":1)")}, "no answer"},
        {"ChargeWithoutId", {200, {}, charge("", "succeeded", kOurs)}, "no answer"},
        {"ToOtherKey",
         {200, {{"idempotency-key", "other"}}, charge("ch_1", "succeeded", kOurs)},
         "no answer"},
        {"ToOurKey",
         {200, {{"idempotency-key", "the-charge-key"}}, charge("ch_1", "succeeded", kOurs)},
         "charged ch_1"},
        {"DeclineOfOtherKey",
         {402, {{"idempotency-key", "other"}}, error(402, "card_error").body},
         "no answer"},
        {"NoObject", {200, {}, "[]"}, "no answer"},
        {"NoJson", {200, {}, "<html>"}, "no answer"},
        {"Nothing", {200, {}, ""}, "no answer"},
        {"BadUtf8", {200, {}, "{\"id\":\"\xff\"}"}, "no answer"},
        {"WrongTypes", {200, {}, R"({"object":7,"id":[],"status":{},"metadata":"x"})"}, "no answer"},
        {"DeepNesting", {200, {}, std::string(100'000, '[')}, "no answer"},
        {"Created", {201, {}, charge("ch_1", "succeeded", kOurs)}, "no answer"},
        {"Redirect", {302, {}, ""}, "no answer"},
        {"Decline", error(402, "card_error", R"(,"decline_code":"expired_card")"), "declined expired_card"},
        {"DeclineWithErrorCodeOnly", error(402, "card_error", R"(,"code":"incorrect_cvc")"),
         "declined incorrect_cvc"},
        {"DeclineThatOnlySaysSo", error(402, "card_error", R"(,"code":"card_declined")"),
         "declined generic_decline"},
        {"DeclineWithoutCode", error(402, "card_error"), "declined generic_decline"},
        {"FailedChargeWithFailureCode",
         {200,
          {},
          charge("ch_1", "failed", kOurs + R"(,"failure_code":"expired_card","failure_message":"x")")},
         "declined expired_card"},
        {"InvalidRequest", error(400, "invalid_request_error"), "rejected"},
        {"NoSuchCustomer", error(404, "invalid_request_error"), "rejected"},
        {"OtherRequestFailed", error(402, "invalid_request_error"), "rejected"},
        {"KeyUsedWithOtherParameters", error(400, "idempotency_error"), "no answer"},
        {"WrongCredentials", error(401, "invalid_request_error"), "no answer"},
        {"Forbidden", error(403, "invalid_request_error"), "no answer"},
        {"KeyInUse", error(409, "idempotency_error"), "no answer"},
        {"RateLimited", error(429, "invalid_request_error"), "no answer"},
        {"ServerError", error(500, "api_error"), "no answer"},
        {"CardErrorWithServerStatus", error(500, "card_error"), "no answer"},
        {"PageOfAProxy400", {400, {}, "<html>Bad request</html>"}, "no answer"},
        {"PageOfAProxy402", {402, {}, "<html>Pay first</html>"}, "no answer"},
        {"PageOfAProxy404", {404, {}, "<html>Not found</html>"}, "no answer"},
        {"PageOfAProxy503", {503, {}, "<html>Down</html>"}, "no answer"},
    }),
    name);

class ListAnswer : public testing::TestWithParam<Case> {};

TEST_P(ListAnswer, IsSorted) {
  EXPECT_EQ(name_of(stripe::page_of_charges(kRequest, GetParam().answer).result), GetParam().means);
}

INSTANTIATE_TEST_SUITE_P(
    Of, ListAnswer,
    testing::ValuesIn(std::vector<Case>{
        {"Ours", {200, {}, list(charge("ch_1", "succeeded", kOurs))}, "charged ch_1"},
        {"OursAmongOthers",
         {200,
          {},
          list(charge("ch_2", "succeeded", R"("metadata":{})") + "," + charge("ch_1", "succeeded", kOurs))},
         "charged ch_1"},
        {"OursFailedBefore",
         {200, {}, list(charge("ch_2", "failed", kOurs) + "," + charge("ch_1", "succeeded", kOurs))},
         "charged ch_1"},
        {"OursFailed", {200, {}, list(charge("ch_1", "failed", kOurs))}, "never charged"},
        {"OursPending", {200, {}, list(charge("ch_1", "pending", kOurs))}, "no answer"},
        {"Others", {200, {}, list(charge("ch_1", "succeeded", R"("metadata":{})"))}, "never charged"},
        {"None", {200, {}, list("")}, "never charged"},
        // Only a complete list of charges may say that there is none, because a new charge would follow.
        {"NotAList", {200, {}, R"({"data":[],"has_more":false})"}, "no answer"},
        {"WithoutData", {200, {}, R"({"object":"list","has_more":false})"}, "no answer"},
        {"WithoutHasMore", {200, {}, R"({"object":"list","data":[]})"}, "no answer"},
        {"OfOtherThings", {200, {}, list(R"({"object":"customer","id":"cus_1"})")}, "no answer"},
        {"OfNumbers", {200, {}, list("1")}, "no answer"},
        {"NoJson", {200, {}, "<html>"}, "no answer"},
        {"ServerError", {500, {}, ""}, "no answer"},
        {"NotFound", {404, {}, list("")}, "no answer"},
    }),
    name);

TEST(ListAnswer, NamesTheNextPage) {
  const std::string other = charge("ch_9", "succeeded", R"("metadata":{})");
  EXPECT_EQ(stripe::page_of_charges(kRequest, {200, {}, list(other, true)}).next, "ch_9");
  EXPECT_EQ(stripe::page_of_charges(kRequest, {200, {}, list(other, false)}).next, "");
  EXPECT_EQ(stripe::page_of_charges(kRequest, {200, {}, list(charge("ch_1", "succeeded", kOurs), true)}).next,
            "");
}

TEST(StripeAdvice, IsFollowed) {
  for (const int status : {409, 429, 500, 502, 503, 504}) {
    EXPECT_TRUE(stripe::should_retry({status, {}, ""})) << status;
    EXPECT_FALSE(stripe::should_retry({status, {{"stripe-should-retry", "false"}}, ""})) << status;
  }
  for (const int status : {200, 302, 400, 401, 402, 403, 404}) {
    EXPECT_FALSE(stripe::should_retry({status, {}, ""})) << status;
  }
  EXPECT_TRUE(stripe::should_retry({400, {{"stripe-should-retry", "true"}}, ""}));
}

TEST(StripeAdvice, OnWhenToComeBackIsReadWithCare) {
  const auto seconds = [](const std::string& value) {
    return stripe::retry_after({429, {{"retry-after", value}}, ""}).count();
  };
  EXPECT_EQ(seconds("7"), 7);
  for (const char* odd : {"", "soon", "-1", "7 ", "1.5", "99999999999999999999",
                          "Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999", "GMT"}) {
    EXPECT_EQ(seconds(odd), 0) << odd;
  }
  EXPECT_EQ(stripe::retry_after({429, {}, ""}).count(), 0);
}

TEST(StripeAdvice, OnWhenToComeBackMayBeADate) {
  // The three forms of RFC 9110, 5.6.7.
  for (const char* date :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
    const http::Answer answer{503, {{"date", "Sun, 06 Nov 1994 08:49:31 GMT"}, {"retry-after", date}}, ""};
    EXPECT_EQ(stripe::retry_after(answer).count(), 6) << date;
  }
  // Uses our own clock if the answer has no Date.
  const std::time_t soon = std::time(nullptr) + 1000;
  std::tm parts{};
  ::gmtime_r(&soon, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  const auto wait = stripe::retry_after({503, {{"retry-after", text}}, ""}).count();
  EXPECT_GT(wait, 900);
  EXPECT_LE(wait, 1000);
}

TEST(StripeFailures, AreToldApartByWhetherTheyAreStored) {
  const http::Answer stored{500, {{"idempotent-replayed", "true"}}, ""};
  EXPECT_TRUE(stripe::is_stored_failure(stored));
  EXPECT_FALSE(stripe::should_retry(stored));
  EXPECT_FALSE(stripe::is_stored_failure({500, {}, ""}));
  EXPECT_FALSE(stripe::is_stored_failure({402, {{"idempotent-replayed", "true"}}, ""}));
  const NoAnswer none = stripe::repeated_failure(stored, "charge");
  EXPECT_EQ(none.reason,
            "the payment provider answered 500, as before for this key, and lists no such charge");
  EXPECT_TRUE(none.busy) << "it does answer";
}

TEST(StripeReasons, QuoteNothingThatWasSent) {
  const auto result = stripe::charge_result(
      kRequest,
      {401,
       {{"request-id", "req_1"}},
       R"({"error":{"type":"invalid_request_error","message":"Invalid API Key provided: sk_live_abc"}})"});
  const std::string reason = std::get<NoAnswer>(result).reason;
  EXPECT_EQ(reason, "the payment provider answered 401 invalid_request_error, request req_1");
}

// Whoever tries stolen cards must not learn which are known to be stolen.
TEST(StripeDecline, OfASuspectedCardLooksLikeAnyOther) {
  const auto decline = [](const std::string& code, const std::string& message) {
    const http::Answer answer{
        402,
        {},
        R"({"error":{"type":"card_error","decline_code":")" + code + R"(","message":")" + message + R"("}})"};
    return std::get<Declined>(stripe::charge_result(kRequest, answer));
  };
  const Declined generic = decline("generic_decline", "Your card was declined.");
  for (const char* code :
       {"stolen_card", "lost_card", "fraudulent", "pickup_card", "merchant_blacklist", "not_known_yet"}) {
    const Declined suspected = decline(code, "Your card was reported stolen.");
    EXPECT_EQ(suspected.reason, generic.reason) << code;
    EXPECT_EQ(suspected.decline_code, generic.decline_code) << code;
    EXPECT_EQ(suspected.detail, std::string(code) + ": Your card was reported stolen.");
  }
  EXPECT_EQ(decline("insufficient_funds", "No money.").reason, "No money.");
}

}  // namespace
}  // namespace rocket::payments
