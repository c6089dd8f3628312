#pragma once

#include <gtest/gtest.h>

#include <string>

#include "spec/support/api_process.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// An api with an empty database, and a new key.
class RidesSpec : public testing::Test {
 protected:
  ClientResponse send(const ClientRequest& request) const { return api_.send(request); }

  void expect_nothing_stored() {
    EXPECT_EQ(database_.count("idempotency_keys"), 0);
    EXPECT_EQ(database_.count("rides"), 0);
    EXPECT_EQ(database_.count("staged_jobs"), 0);
    EXPECT_EQ(database_.count("audit_records"), 0);
  }

  TestDatabase database_;
  ApiProcess api_{database_};
  const std::string key_ = new_key();
};

}  // namespace rocket::spec
