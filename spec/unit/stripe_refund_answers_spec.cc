#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "rocket/payments/stripe_answers.h"
#include "spec/unit/stripe_answer_cases.h"

// What Stripe's answers to refunds mean.
namespace rocket::payments {
namespace {

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

}  // namespace
}  // namespace rocket::payments
