# shellcheck shell=bash
# What bin/chaos checks in the end.
# shellcheck disable=SC2034,SC2154

# Several times the memory that any process was seen to need.
most_mb=128
settle_s=90

unfinished='SELECT count(*) FROM idempotency_keys WHERE finished_at IS NULL AND parked_at IS NULL'
staged='SELECT count(*) FROM staged_jobs'
old="SELECT count(*) FROM idempotency_keys WHERE finished_at < now() - interval '3 days'"
settled() { [[ $(sql -c "SELECT ($unfinished) + ($staged) + ($old)") == 0 ]]; }

# Waits until nothing is left to do. The simulators wait for that too, and then compare every answer that they got with
# the database.
settle() {
  local since name until=$(($(now_ms) + (settle_s + 60) * 1000))
  since=$(now_ms)
  for name in simulator1 simulator2; do
    until ended "${pid[$name]}"; do
      check_alive
      # All processes are well, so nobody needs a lease for 15 seconds. The holder of an older lease was killed.
      expire_leases 15
      (($(now_ms) < until)) || { wrong "$name does not end"; kill -KILL "${pid[$name]}"; }
      sleep 0.5
    done
    status_of "${pid[$name]}"
    ((status == 0)) || wrong "$name found something wrong; see $name.log"
  done
  within "$settle_s" settled || wrong "not settled: unfinished keys $(sql -c "$unfinished"), staged jobs $(
    sql -c "$staged"), keys to be reaped $(sql -c "$old")"
  settled_ms=$(($(now_ms) - since))
}

check_everything() {
  seen_only_usual
  check_alive
  read_ledger
  "$bin/simulator" --verify-only --settle 0 --overdue 0 --ledger "$work/ledger" >"$work/verify.log" 2>&1 ||
    wrong "promises are broken; see verify.log"
  # Completers may make very many attempts, and no charge was old, so there is no reason to park.
  (($(sql -c 'SELECT count(*) FROM idempotency_keys WHERE parked_at IS NOT NULL') == 0)) || wrong "keys were parked"
  check_receipts
  stop "${programs[@]/%/1}" "${programs[@]/%/2}"
  check_logs
  check_memory
  requests=$(sum_of requests)
  acknowledged=$(sum_of acknowledged)
  lost=$((missing_receipts + $(broken 'answers that clients got are stored')))
  charged_twice=$(broken 'one charge per charge key at the provider')
}

# Writes down what the provider charged and refunded, in the format that the simulator reads
# (common/payments/mock_ledger.h).
read_ledger() {
  curl -sf -m 60 -o "$work/ledger.json" "http://127.0.0.1:${port[provider]}/test/ledger" ||
    wrong "the provider does not show its ledger"
  LEDGER=$work/ledger.json sql >"$work/ledger" <<'END'
\set ledger `cat "$LEDGER"`
SELECT concat_ws(' ', metadata->>'charge_key', customer, amount, metadata->>'ride_id',
                 CASE status WHEN 'succeeded' THEN id ELSE 'declined' END, '-')
  FROM json_to_recordset(:'ledger'::json->'charges')
    AS charge (id text, customer text, amount text, status text, metadata json);
SELECT concat_ws(' ', metadata->>'refund_key', charge, '-' || amount, metadata->>'ride_id', id, '-')
  FROM json_to_recordset(:'ledger'::json->'refunds')
    AS refund (id text, charge text, amount text, metadata json);
END
}

# The last seconds of the traffic came after all faults, so clients must have seen nothing unusual in them.
seen_only_usual() {
  local unusual
  unusual=$(awk -F '\t' "$unusual_awk"'
    $1 == "end" && unusual($2) && $2 != "409_request_in_progress" { print $2, $3 }' "$work/seen.all")
  [[ -z $unusual ]] || wrong "when all was healed, clients still saw $unusual"
  unusual=$(awk -F '\t' '$2 == "500_internal" { count += $3 } END { print count + 0 }' "$work/seen.all")
  ((unusual == 0)) || wrong "$unusual requests were answered with 500 internal"
}

# Each charge and each refund must have its receipt in the queue, once or more, but always as the same job.
check_receipts() {
  missing_receipts=0
  check_receipts_of send_ride_receipt 'SELECT id FROM rides WHERE stripe_charge_id IS NOT NULL'
  check_receipts_of send_refund_receipt 'SELECT ride_id FROM refunds WHERE stripe_refund_id IS NOT NULL'
}

# check_receipts_of JOB QUERY: the query returns the rides that have earned a receipt.
check_receipts_of() {
  local missing several unearned
  sql -c "$2" | LC_ALL=C sort >"$work/earned"
  sed -n "s/.* job_id=\([^ ]*\) job_name=$1 .*ride_id[^0-9]*\([0-9]*\).*/\2 \1/p" "$work"/enqueuer?.log | sort -u |
    cut -d ' ' -f 1 | LC_ALL=C sort >"$work/receipts"
  missing=$(LC_ALL=C comm -23 "$work/earned" <(uniq "$work/receipts") | wc -l)
  unearned=$(LC_ALL=C comm -13 "$work/earned" <(uniq "$work/receipts") | wc -l)
  several=$(uniq -d "$work/receipts" | wc -l)
  missing_receipts=$((missing_receipts + missing))
  ((missing == 0)) || wrong "$missing jobs $1 never reached the queue"
  ((unearned == 0)) || wrong "$unearned jobs $1 are for rides that have not earned them"
  ((several == 0)) || wrong "$several rides have jobs $1 with different ids"
}

# The programs log known faults of the database and of the network as warnings. An error is something unforeseen.
check_logs() {
  local programs_logs unexplained
  programs_logs=("$work"/{api,completer,enqueuer,reaper}?.log)
  unexplained=$(grep -h -vE '^[^ ]+Z (info|warning) ' "${programs_logs[@]}" || true)
  [[ -z $unexplained ]] || wrong "unexplained in the logs: $(head -n 5 <<<"$unexplained")"
}

check_memory() {
  local program
  for program in "${programs[@]}"; do
    ((${peak_mb[$program]} <= most_mb)) || wrong "$program used ${peak_mb[$program]} MB"
  done
}

# sum_of FIELD: prints the sum of a field over all simulators.
sum_of() {
  sed -n -E "s/.* (summary|checking) .*\\b$1=([0-9]+).*/\2/p" "$work"/simulator*.log |
    awk '{ sum += $1 } END { print sum + 0 }'
}

# broken PROMISE: prints in how many cases the promise is broken.
broken() {
  sed -n "s/.* promise=\"$1\" verdict=broken count=\([0-9]*\).*/\1/p" "$work"/simulator*.log "$work/verify.log" |
    awk '{ sum += $1 } END { print sum + 0 }'
}

verdict() {
  local result=PASSED each
  ((${#problems[@]} == 0)) || result=FAILED
  printf 'chaos: %s seed=%s minutes=%s faults=%s requests=%s acknowledged=%s lost=%s charged twice=%s\n' "$result" \
    "$seed" "$minutes" "${#schedule[@]}" "$requests" "$acknowledged" "$lost" "$charged_twice"
  ((${#problems[@]})) || return 0
  for each in "${problems[@]}"; do printf '  %s\n' "$each"; done
  sed -n -E '/verdict=(broken|unchecked)| violation / s/^/  /p' "$work"/simulator*.log "$work/verify.log"
  # The server is removed; the logs stay.
  kept=1
  printf '  logs are in %s; the same again: bin/chaos --minutes %s --seed %s\n' "$work" "$minutes" "$seed"
  return 1
}
