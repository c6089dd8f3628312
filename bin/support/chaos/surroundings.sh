# shellcheck shell=bash
# The faults of what surrounds the processes: a schema that changes, name servers, and the log's reader. One function
# fault_KIND for each, as in faults.sh.
# shellcheck disable=SC2004,SC2034,SC2154

# ask_for_ride API KEY: prints the status of the answer.
ask_for_ride() {
  curl -s -m 5 -o /dev/null -w '%{http_code}\n' -d "$ride" -H 'Authorization: user@example.com' \
    -H "Idempotency-Key: $2" "http://127.0.0.1:${port[$1]}/rides"
}

# Prepared statements then have a result of another type, or need another plan.
altered=(idempotency_keys.recovery_point rides.stripe_charge_id staged_jobs.job_name audit_records.action)
fault_schema_change() {
  local each column
  for each in "${altered[@]}"; do
    column=${each#*.}
    alter "${each%.*}" "ALTER $column TYPE varchar(300), ADD COLUMN chaos text"
    alter "${each%.*}" "ALTER $column TYPE text, DROP COLUMN chaos"
  done
}
# alter TABLE CHANGE
alter() {
  local i
  sql -c "ALTER TABLE $1 $2" || wrong "$1 cannot be altered"
  for i in 1 2; do
    clients_see 'a ride after each' "409|$served" ask_for_ride "api$i" "chaos-altered-$number-$i-$1-${#2}-0123456789"
  done
  pause_ms $((hold / 8))
}

# Cuts the connections, so that the processes look up the database's name.
fault_silent_names() {
  local api=${target%% *}
  : >"$work/no-names.${api: -1}"
  cut_connections
  pause_ms 200
  clients_see 'a ride' 503 ask_for_ride "$api" "chaos-nameless-$number-0123456789"
  pause_ms "$hold"
  rm "$work/no-names.${api: -1}"
  within 20 curl -sf -m 2 -o /dev/null "http://127.0.0.1:${port[$api]}/readyz" ||
    wrong "$api did not find its database again"
}

# Makes more log lines than a process keeps for its reader. The clients must be served all the same.
fault_log_reader() {
  local api=${target%% *} name before names
  names=("$api" "completer${api: -1}")
  for name in "${names[@]}"; do
    mkfifo "$work/$name.pipe"
    log_of["reader-$name"]=$work/$name.log
    launch "reader-$name" cat "$work/$name.pipe"
    stop "$name"
    log_of[$name]=$work/$name.pipe
    start "$name" info
    kill -STOP "${pid[reader-$name]}"
  done
  before=$(count_gaps)
  clients_see 'a question for an account' '200|429|503' ask_for_accounts
  pause_ms "$hold"
  for name in "${names[@]}"; do kill -CONT "${pid[reader-$name]}"; done
  within 20 has_new_gap || wrong "$api does not say that it dropped lines of its log"
  for name in "${names[@]}"; do
    stop "$name"
    # The reader ends when it has read everything.
    status_of "${pid[reader-$name]}"
    ((status == 0)) || wrong "the reader of the log of $name ended with status $status"
    rm "$work/$name.pipe"
    unset "pid[reader-$name]" "log_of[reader-$name]" "log_of[$name]"
    start "$name"
  done
}
count_gaps() { grep -c 'log lines were dropped' "$work/$api.log" || true; }
has_new_gap() { (($(count_gaps) > before)); }
# Each request adds about 250 bytes to the log, and at most 4 MiB of the log wait for the reader. They are a user's,
# because of requests that are nobody's only some have a line.
ask_for_accounts() {
  local socket target=$api
  connect
  awk -v id="$(printf '%0128d' 0)" 'BEGIN {
    for (i = 1; i <= 24000; i++)
      printf "GET /account HTTP/1.1\r\nHost: localhost\r\nAuthorization: user@example.com\r\nX-Request-Id: %s\r\n%s\r\n", id,
        i == 24000 ? "Connection: close\r\n" : "" }' >&"$socket" &
  # A body has no end of line, so the next status follows it on the same line.
  sed -n 's/^.*HTTP\/1\.1 \([0-9]*\) .*/\1/p' <&"$socket" | awk '
    { print }
    END { for (i = NR; i < 24000; i++) print "no answer" }'
}
