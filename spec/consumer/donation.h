#pragma once

#include <rocket/idempotency/flow.h>
#include <rocket/idempotency/request.h>
#include <rocket/jobs/job_queue.h>
#include <rocket/payments/charge_gateway.h>
#include <optional>
#include <string>

// A twentieth of the price of each ride is given away: charged to the company's own card.
namespace donations {

inline constexpr const char* kCompany = "cus_company";

// started → donation_created → finished. `gateway` must outlive the flow.
rocket::idempotency::Flow donation(rocket::payments::ChargeGateway& gateway);

// The request that a job is, or nullopt if the job is none of ours. The idempotency key is made of the job's
// id.
std::optional<rocket::idempotency::Request> request_of(const rocket::jobs::Job& job);

}  // namespace donations
