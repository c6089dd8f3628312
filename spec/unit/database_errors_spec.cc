#include <gtest/gtest.h>

#include <string>

#include "rocket/pg/errors.h"

// Tells apart PostgreSQL's errors that mean "try later", "try again" or "try another server". See its
// appendix "Error Codes".
namespace rocket::pg {
namespace {

StatementFailed failed(const std::string& sqlstate) { return {"claim", sqlstate, "it failed"}; }

TEST(DatabaseErrors, ThatPassByThemselvesAreTemporary) {
  for (const char* sqlstate : {
           "08000", "08003", "08006", "08P01",           // connection errors, as poolers report them
           "25006", "25P03",                             // read-only; left idle in a transaction
           "40000", "40001", "40P01",                    // rolled back, serialization, deadlock
           "53000", "53100", "53200", "53300", "53400",  // disk, memory, connections, temp_file_limit
           "55P03",                                      // waited for a lock
           "57000", "57014", "57P01", "57P02", "57P03", "57P05",  // cancelled, stopping, starting, idle
           "58000", "58030",                                      // the operating system
       }) {
    EXPECT_TRUE(failed(sqlstate).is_temporary()) << sqlstate;
  }
}

TEST(DatabaseErrors, ThatNeedAPersonAreNot) {
  for (const char* sqlstate : {
           "22001", "22P02", "22021",           // values
           "23502", "23503", "23505", "23514",  // constraints
           "25001", "25P02",                    // misuse of transactions
           "28000", "28P01", "42501",           // credentials, permissions
           "3D000", "42601", "42703", "42P01",  // missing database, table or column
           "54000",                             // limits of the program
           "XX000", "XX001", "XX002",           // bugs, broken data
           "",                                  // no error report
       }) {
    EXPECT_FALSE(failed(sqlstate).is_temporary()) << sqlstate;
  }
}

TEST(DatabaseErrors, OfConcurrentWorkMayPassAtOnce) {
  for (const char* sqlstate : {"40001", "40P01"}) EXPECT_TRUE(failed(sqlstate).may_pass_when_repeated());
  for (const char* sqlstate : {"40000", "53100", "55P03", "57014", "23505", "XX000"}) {
    EXPECT_FALSE(failed(sqlstate).may_pass_when_repeated()) << sqlstate;
  }
}

TEST(DatabaseErrors, TellWaitingFromOtherTrouble) {
  for (const char* sqlstate : {"55P03", "57014"}) EXPECT_TRUE(failed(sqlstate).waited_too_long());
  for (const char* sqlstate : {"40P01", "53100", "57P01", "23505"}) {
    EXPECT_FALSE(failed(sqlstate).waited_too_long()) << sqlstate;
  }
}

TEST(DatabaseErrors, TellWhatASessionMayBeToBlameFor) {
  for (const char* sqlstate : {"0A000", "26000", "42P05", "XX000"}) {
    EXPECT_TRUE(failed(sqlstate).session_may_be_stale()) << sqlstate;
  }
  for (const char* sqlstate : {"22P02", "23505", "40001", "42703", "42501", "XX001"}) {
    EXPECT_FALSE(failed(sqlstate).session_may_be_stale()) << sqlstate;
  }
}

TEST(DatabaseErrors, TellAServerThatCannotWrite) {
  EXPECT_TRUE(failed("25006").server_is_read_only());
  for (const char* sqlstate : {"25P03", "25001", "42501", "57P03"}) {
    EXPECT_FALSE(failed(sqlstate).server_is_read_only()) << sqlstate;
  }
}

// The code does not matter. For example, a full disk may fail only a statement, or it may stop the server in
// the middle of a commit (PANIC).
TEST(DatabaseErrors, LeaveACommitInDoubtWhenTheyEndTheSession) {
  for (const char* sqlstate : {"53100", "57P01", "08P01", "XX000"}) {
    EXPECT_FALSE(failed(sqlstate).ended_session()) << sqlstate;
    const StatementFailed last("commit", sqlstate, "it failed", StatementFailed::Session::kEnded);
    EXPECT_TRUE(last.ended_session()) << sqlstate;
  }
}

}  // namespace
}  // namespace rocket::pg
