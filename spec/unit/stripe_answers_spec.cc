#include "payments/stripe_answers.h"

#include <gtest/gtest.h>

#include <ctime>
#include <ostream>
#include <string>
#include <variant>
#include <vector>

namespace rocket::payments {
namespace {

const ChargeRequest kRequest{"the-charge-key", "cus_user", 2000, "usd", "7"};
const std::string kOurs = R"("metadata":{"ride_id":"7","charge_key":"the-charge-key"})";

std::string charge(const std::string& id, const std::string& status, const std::string& more) {
  return R"({"object":"charge","id":")" + id + R"(","status":")" + status + R"(",)" + more + "}";
}

std::string list(const std::string& charges, bool more = false) {
  return R"({"object":"list","has_more":)" + std::string(more ? "true" : "false") + R"(,"data":[)" + charges +
         "]}";
}

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

struct Case {
  std::string name;
  http::Answer answer;
  std::string means;
};
void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }

std::string name(const testing::TestParamInfo<Case>& info) { return info.param.name; }

http::Answer error(int status, const std::string& type, const std::string& more = "") {
  return {status, {}, R"({"error":{"type":")" + type + R"(","message":"text")" + more + "}}"};
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
         "declined fraud"},
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
        {"Decline", error(402, "card_error", R"(,"decline_code":"lost_card")"), "declined lost_card"},
        {"DeclineWithoutCode", error(402, "card_error"), "declined "},
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

const RefundRequest kRefund{"the-refund-key", "ch_1", 2000, "7"};
const std::string kOurRefund = R"("metadata":{"ride_id":"7","refund_key":"the-refund-key"})";

std::string refund(const std::string& id, const std::string& status, const std::string& more = kOurRefund) {
  return R"({"object":"refund","charge":"ch_1","id":")" + id + R"(","status":")" + status + R"(",)" + more +
         "}";
}

class RefundAnswer : public testing::TestWithParam<Case> {};

TEST_P(RefundAnswer, IsSorted) {
  const auto result = stripe::refund_result(kRefund, GetParam().answer);
  if (!result) {
    EXPECT_EQ("refunded before", GetParam().means);
  } else if (const auto* refunded = std::get_if<Refunded>(&*result)) {
    EXPECT_EQ("refunded " + refunded->refund_id, GetParam().means);
  } else if (const auto* none = std::get_if<NoAnswer>(&*result)) {
    EXPECT_EQ(none->busy ? "busy" : "no answer", GetParam().means);
  } else {
    EXPECT_EQ("rejected", GetParam().means);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, RefundAnswer,
    testing::ValuesIn(std::vector<Case>{
        {"Refund", {200, {}, refund("re_1", "succeeded")}, "refunded re_1"},
        {"PendingRefund", {200, {}, refund("re_1", "pending")}, "refunded re_1"},
        {"FailedRefund", {200, {}, refund("re_1", "failed")}, "rejected"},
        {"CanceledRefund", {200, {}, refund("re_1", "canceled")}, "rejected"},
        {"RefundThatNeedsSomething", {200, {}, refund("re_1", "requires_action")}, "no answer"},
        {"OtherRefund",
         {200, {}, refund("re_1", "succeeded", R"("metadata":{"refund_key":"other"})")},
         "no answer"},
        {"RefundWithoutId", {200, {}, refund("", "succeeded")}, "no answer"},
        {"Charge", {200, {}, charge("ch_1", "succeeded", kOurRefund)}, "no answer"},
        {"ToOtherKey", {200, {{"idempotency-key", "other"}}, refund("re_1", "succeeded")}, "no answer"},
        {"AlreadyRefunded", error(400, "invalid_request_error", R"(,"code":"charge_already_refunded")"),
         "refunded before"},
        // The code alone is not enough: the error must have the full form of Stripe's errors.
        {"AlreadyRefundedSaysAProxy",
         {400, {}, R"({"error":{"code":"charge_already_refunded"}})"},
         "no answer"},
        {"AlreadyRefundedToAnotherKey",
         {400,
          {{"idempotency-key", "other"}},
          error(400, "invalid_request_error", R"(,"code":"charge_already_refunded")").body},
         "no answer"},
        {"Disputed", error(400, "invalid_request_error", R"(,"code":"charge_disputed")"), "rejected"},
        {"NoSuchCharge", error(404, "invalid_request_error"), "rejected"},
        {"KeyUsedWithOtherParameters", error(400, "idempotency_error"), "no answer"},
        {"KeyInUse", error(409, "idempotency_error"), "busy"},
        {"ConflictOfAProxy", {409, {}, "<html>Conflict</html>"}, "no answer"},
        {"WrongCredentials", error(401, "invalid_request_error"), "no answer"},
        {"RateLimited", error(429, "invalid_request_error"), "no answer"},
        {"ServerError", error(500, "api_error"), "no answer"},
        {"PageOfAProxy", {200, {}, "<html>Down</html>"}, "no answer"},
    }),
    name);

// Returns "ours|other|next" with the refunds and the next page that were found, or "no answer".
std::string found(const http::Answer& answer, const stripe::RefundsFound& before = {}) {
  const auto page = stripe::page_of_refunds(kRefund, answer, before);
  if (const auto* refunds = std::get_if<stripe::RefundsFound>(&page)) {
    return refunds->ours + '|' + refunds->other + '|' + refunds->next;
  }
  return "no answer";
}

TEST(RefundList, TellsOursFromOthers) {
  const std::string ours = refund("re_1", "succeeded");
  const std::string other = refund("re_2", "succeeded", R"("metadata":{})");
  EXPECT_EQ(found({200, {}, list("")}), "||");
  EXPECT_EQ(found({200, {}, list(other + ',' + ours)}), "re_1|re_2|");
  EXPECT_EQ(found({200, {}, list(other, true)}), "|re_2|re_2");
  EXPECT_EQ(found({200, {}, list(ours)}, {"", "re_9", "re_9"}), "re_1|re_9|");
  // Failed and cancelled refunds moved no money.
  EXPECT_EQ(found({200, {}, list(refund("re_1", "failed") + ',' + refund("re_3", "canceled"))}), "||");
  EXPECT_EQ(found({200, {}, list(refund("re_1", "requires_action"))}), "no answer");
  EXPECT_EQ(found({200, {}, list(refund("re_2", "requires_action", R"("metadata":{})"))}), "||");
}

// Only a complete list of the charge's refunds may say that there is none, because a new refund would follow.
TEST(RefundList, IsReadWithCare) {
  const std::string of_other_charge =
      R"({"object":"refund","charge":"ch_2","id":"re_1","status":"succeeded"})";
  for (const http::Answer& answer :
       std::vector<http::Answer>{{500, {}, list("")},
                                 {404, {}, list("")},
                                 {200, {}, "<html>"},
                                 {200, {}, R"({"data":[],"has_more":false})"},
                                 {200, {}, R"({"object":"list","data":[]})"},
                                 {200, {}, list("1")},
                                 {200, {}, list(charge("ch_1", "succeeded", kOurs))},
                                 {200, {}, list(of_other_charge)}}) {
    EXPECT_EQ(found(answer), "no answer") << answer.body;
  }
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

}  // namespace
}  // namespace rocket::payments
