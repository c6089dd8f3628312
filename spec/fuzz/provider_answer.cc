#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <variant>

#include "rocket/payments/stripe_answers.h"
#include "spec/fuzz/property.h"

// Properties: only an answer about our own charge that says so may mean that money moved, or that it did not
// move. Every other answer is no definite answer, or is a refusal in the form of a refusal. The text that we
// keep of it is short.
//
// The input is a status, a line feed, header lines, an empty line, and a body.
namespace rocket::fuzz {
namespace {

using nlohmann::json;
using namespace payments;

const ChargeRequest kRequest{"the-charge-key", "cus_user", 2000, "usd", "7"};
const RefundRequest kRefund{"the-refund-key", "ch_1", 2000, "7"};

std::string next_line(std::string& text) {
  const auto end = std::min(text.find('\n'), text.size());
  std::string line = text.substr(0, end);
  text.erase(0, end + 1);
  return line;
}

http::Answer answer_of(std::string input) {
  http::Answer answer;
  const std::string status = next_line(input);
  for (std::size_t i = 0; i < status.size() && i < 3; ++i) {
    if (status[i] >= '0' && status[i] <= '9') answer.status = answer.status * 10 + (status[i] - '0');
  }
  for (std::string line = next_line(input); !line.empty(); line = next_line(input)) {
    const auto colon = std::min(line.find(':'), line.size());
    answer.headers.push_back({line.substr(0, colon), line.substr(std::min(colon + 1, line.size()))});
  }
  answer.body = std::move(input);
  return answer;
}

bool is_our_charge(const json& charge, const std::string& id) {
  return charge.is_object() && charge.value("object", json()) == "charge" &&
         charge.value("id", json()) == id && charge.value("status", json()) == "succeeded" &&
         charge.value("metadata", json()).is_object() &&
         charge["metadata"].value("charge_key", json()) == kRequest.charge_key;
}

void check_charge(const http::Answer& answer) {
  const json body = json::parse(answer.body, nullptr, false);
  const ChargeResult result = stripe::charge_result(kRequest, answer);
  if (const auto* charged = std::get_if<Charged>(&result)) {
    must(answer.status == 200 && !charged->charge_id.empty() && is_our_charge(body, charged->charge_id),
         "only our charge is ours");
  } else if (const auto* none = std::get_if<NoAnswer>(&result)) {
    must(!none->reason.empty() && none->reason.size() < 500, "a reason is short");
  } else if (std::holds_alternative<Declined>(result)) {
    must(answer.status == 402 || (answer.status == 200 && body.value("status", json()) == "failed"),
         "only a decline declines");
  } else {
    must(answer.status == 400 || answer.status == 402 || answer.status == 404, "only a refusal rejects");
    must(std::get<Rejected>(result).reason.size() < 500, "a reason is short");
  }
}

void check_list(const http::Answer& answer) {
  const json body = json::parse(answer.body, nullptr, false);
  const stripe::Page page = stripe::page_of_charges(kRequest, answer);
  const auto holds = [&](const std::string& id) {
    for (const json& each : body["data"]) {
      if (is_our_charge(each, id.empty() ? each.value("id", std::string()) : id)) return true;
    }
    return false;
  };
  if (const auto* charged = std::get_if<Charged>(&page.result)) {
    must(holds(charged->charge_id), "only our charge is found");
  } else if (std::holds_alternative<NeverCharged>(page.result)) {
    must(answer.status == 200 && body.is_object() && body.value("data", json()).is_array() && !holds(""),
         "only a whole list without our charge says that there is none");
  } else {
    must(page.next.empty(), "nothing follows what is not a page");
  }
}

bool is_our_refund(const json& refund, const std::string& id) {
  return refund.is_object() && refund.value("object", json()) == "refund" &&
         refund.value("id", json()) == id && refund.value("metadata", json()).is_object() &&
         refund["metadata"].value("refund_key", json()) == kRefund.refund_key;
}

void check_refund(const http::Answer& answer) {
  const json body = json::parse(answer.body, nullptr, false);
  const auto result = stripe::refund_result(kRefund, answer);
  if (!result) {
    must(body["error"]["code"] == "charge_already_refunded", "only what says so was refunded before");
  } else if (const auto* refunded = std::get_if<Refunded>(&*result)) {
    must(answer.status == 200 && !refunded->refund_id.empty() && is_our_refund(body, refunded->refund_id),
         "only our refund is ours");
  } else if (const auto* none = std::get_if<NoAnswer>(&*result)) {
    must(!none->reason.empty() && none->reason.size() < 500, "a reason is short");
  }
}

void check_refunds(const http::Answer& answer) {
  const json body = json::parse(answer.body, nullptr, false);
  const auto page = stripe::page_of_refunds(kRefund, answer, {});
  const auto* found = std::get_if<stripe::RefundsFound>(&page);
  if (found == nullptr) return;
  bool ours = found->ours.empty();
  for (const json& each : body["data"]) {
    must(each.value("charge", json()) == kRefund.charge_id, "a list is of our charge");
    ours = ours || is_our_refund(each, found->ours);
  }
  must(answer.status == 200 && ours, "only our refund is found");
}

}  // namespace
}  // namespace rocket::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto answer = rocket::fuzz::answer_of(rocket::fuzz::text_of(data, size));
  rocket::fuzz::check_charge(answer);
  rocket::fuzz::check_list(answer);
  rocket::fuzz::check_refund(answer);
  rocket::fuzz::check_refunds(answer);
  static_cast<void>(rocket::payments::stripe::should_retry(answer));
  rocket::fuzz::must(rocket::payments::stripe::retry_after(answer).count() >= 0, "nobody waits backwards");
  return 0;
}
