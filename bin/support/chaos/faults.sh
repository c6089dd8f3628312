# shellcheck shell=bash
# The faults. Each kind has a function fault_KIND, which inflicts it on $target for $hold milliseconds and heals it.
# Faults of clients are in clients.sh. Faults of what surrounds the processes are in surroundings.sh.
# shellcheck disable=SC2034,SC2154

kinds=(kill_api kill_completer kill_enqueuer kill_reaper kill_backend
  stall_api stall_completer stall_enqueuer stall_reaper
  cut crash exhausted locked statement_timeout lock_timeout
  provider_slow provider_silent provider_late provider_stalled provider_lost provider_outage provider_errors
  provider_conflicts provider_garbage provider_page provider_other provider_twice
  resets idle garbage oversize odd ambiguous duplicates repeats surplus overload
  schema_change silent_names log_reader
  killed_and_crash deployed)
declare -A title=(
  [kill_api]='api: SIGKILL' [kill_completer]='completer: SIGKILL' [kill_enqueuer]='enqueuer: SIGKILL'
  [kill_reaper]='reaper: SIGKILL' [kill_backend]='PostgreSQL: SIGKILL of a backend'
  [stall_api]='api: SIGSTOP beyond its lease, SIGCONT' [stall_completer]='completer: SIGSTOP beyond its lease, SIGCONT'
  [stall_enqueuer]='enqueuer: SIGSTOP, SIGCONT' [stall_reaper]='reaper: SIGSTOP, SIGCONT'
  [cut]='database: connections cut' [crash]='database: immediate shutdown, restart'
  [exhausted]='database: connection limit exhausted' [locked]='database: table locked'
  [statement_timeout]='database: statement timeout, table locked'
  [lock_timeout]='database: lock timeout, table locked'
  [provider_slow]='provider: slow' [provider_silent]='provider: never answers'
  [provider_late]='provider: answers after we gave up'
  [provider_stalled]='provider: SIGSTOP, SIGCONT' [provider_lost]='provider: charges, its answers are lost'
  [provider_outage]='provider: outage' [provider_errors]='provider: 5xx, 429'
  [provider_conflicts]='provider: 409' [provider_garbage]='provider: garbage' [provider_page]='provider: a page of HTML'
  [provider_other]="provider: somebody else's answer" [provider_twice]='provider: each answer twice'
  [resets]='clients: abrupt resets' [idle]='clients: idle and half-sent requests' [garbage]='clients: garbage'
  [oversize]='clients: oversize requests' [odd]='clients: byte by byte, half-closed, pipelined'
  [ambiguous]='clients: ambiguous lengths, 1,000 headers' [duplicates]='clients: parallel duplicates'
  [repeats]='clients: repeats without end' [surplus]='clients: more connections than allowed'
  [overload]='overload burst' [schema_change]='database: tables altered'
  [silent_names]='name servers: no answer' [log_reader]='log: its reader stands still'
  [killed_and_crash]='SIGKILL, and the database crashes meanwhile' [deployed]='all processes: SIGTERM, restart')
tables=(idempotency_keys rides staged_jobs users)
losses=(reset cut)
statuses=(500 502 503 504 429)
moments=('instead of charging' 'after charging')

# Draws everything random from the seed only. Each entry of $schedule is "start (ms) kind hold (ms) draw".
make_schedule() {
  local count=$((minutes * 12)) hold_range=1700 round=() i pick
  schedule=() kind_of=()
  RANDOM=$seed
  # Skips the first numbers, because they are alike for neighbouring seeds.
  for ((i = 0; i < 20; i++)); do pick=$RANDOM; done
  ((minutes < 2 || count > ${#kinds[@]})) || count=${#kinds[@]}
  # Faults are shorter, so that two minutes have room for all kinds.
  ((minutes != 2)) || hold_range=600
  # Every kind comes once before any kind comes again.
  for ((i = 0; i < count; i++)); do
    ((${#round[@]})) || round=("${kinds[@]}")
    pick=$((RANDOM % ${#round[@]}))
    kind_of+=("${round[pick]}")
    schedule+=("$((i * minutes * 60000 / count + RANDOM % 1000)) ${round[pick]} $((800 + RANDOM % hold_range)) $RANDOM")
    round=("${round[@]:0:pick}" "${round[@]:pick+1}")
  done
}

# aim KIND DRAW: sets $target from the number that was drawn.
aim() {
  local which=$((1 + $2 % 2))
  case $1 in
    kill_backend) target="backend $(($2 % 10))" ;;
    kill_* | stall_*) target=${1#*_}$which ;;
    provider_lost) target=${losses[$2 % 2]} ;;
    provider_errors) target="status ${statuses[$2 % 5]}" ;;
    provider_garbage | provider_page | provider_other) target=${moments[$2 % 2]} ;;
    provider_*) target=provider ;;
    deployed) target='one after another' ;;
    killed_and_crash) target=${programs[$2 / 2 % 4]}$which ;;
    locked | *_timeout) target=${tables[$2 % 4]} ;;
    exhausted) target="$(($2 % 4)) connections allowed" ;;
    cut | crash) target=database ;;
    schema_change) target='four tables' ;;
    silent_names | log_reader) target="api$which and completer$which" ;;
    duplicates) target='both apis' ;;
    overload) target='both apis' ;;
    *) target=api$which ;;
  esac
}

# say_fault N
say_fault() {
  local start kind hold draw target
  read -r start kind hold draw <<<"${schedule[$1]}"
  aim "$kind" "$draw"
  printf '%8d.%d s  %-46s %s, %d ms\n' $((start / 1000)) $((start / 100 % 10)) "${title[$kind]}" "$target" "$hold"
}

# inflict N
inflict() {
  local start kind hold draw target number=$1
  read -r start kind hold draw <<<"${schedule[$1]}"
  aim "$kind" "$draw"
  case $kind in
    kill_backend) fault_kill_backend ;;
    kill_*) fault_kill ;;
    stall_*) fault_stall ;;
    *_timeout) fault_timeout ;;
    provider_garbage | provider_page | provider_other) fault_provider_nonsense ;;
    *) "fault_$kind" ;;
  esac
}

# --- processes

# catch_at_work COMMAND...: runs the command. If the target makes charges, some are under way then.
catch_at_work() {
  if [[ $target == api* || $target == completer* ]]; then
    provider_takes 400
    pause_ms 600
  fi
  "$@"
  provider_takes 0
}

fault_kill() {
  catch_at_work kill_hard "$target"
  [[ $target != reaper* ]] || add_old_keys
  pause_ms "$hold"
  # Lets others take over its requests now, rather than in 90 seconds.
  expire_leases 0
  start "$target"
}

fault_deployed() {
  local name
  for name in "${programs[@]/%/1}" "${programs[@]/%/2}"; do
    stop "$name"
    start "$name"
  done
}

fault_stall() {
  [[ $target != reaper* ]] || add_old_keys
  catch_at_work kill -STOP "${pid[$target]}"
  pause_ms $((hold / 2))
  # This expires the leases of working processes too, so others take over requests that they are still working on.
  expire_leases 0
  # This gives the completers time to take over.
  pause_ms $((hold + 1000))
  kill -CONT "${pid[$target]}"
}

# --- database

fault_kill_backend() {
  local victim
  victim=$(sql -c "SELECT pid FROM pg_stat_activity WHERE usename LIKE 'rocket_%' ORDER BY pid OFFSET ${target#* } LIMIT 1")
  [[ -z $victim ]] || kill -KILL "$victim" 2>/dev/null || true
  pause_ms 300
  within 60 sql -c 'SELECT 1' || wrong "PostgreSQL does not come back"
}

cut_connections() {
  sql -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename LIKE 'rocket_%'" >/dev/null
}

fault_cut() {
  local i
  for i in 1 2 3; do
    cut_connections
    pause_ms $((hold / 3))
  done
}

fault_crash() {
  "$private_postgres" stop "$work/postgres" immediate
  pause_ms "$hold"
  start_server
}

fault_exhausted() {
  sql -c "ALTER DATABASE chaos CONNECTION LIMIT ${target%% *}"
  cut_connections
  pause_ms "$hold"
  sql -c 'ALTER DATABASE chaos CONNECTION LIMIT -1'
}

fault_locked() {
  sql -c "BEGIN; LOCK TABLE $target; SELECT pg_sleep($hold / 1000.0); COMMIT" >/dev/null
}

# A new limit applies to new sessions only, so the connections are cut before and after.
fault_timeout() {
  alter_roles "SET $kind = '100ms'"
  cut_connections
  fault_locked
  alter_roles "RESET $kind"
  cut_connections
}
alter_roles() {
  local program
  for program in "${programs[@]}" simulator; do sql -c "ALTER ROLE rocket_$program $1"; done
}

fault_killed_and_crash() {
  catch_at_work kill_hard "$target"
  fault_crash
  expire_leases 0
  start "$target"
}

# --- payment provider

# provider_fails FAULT: makes every call to the provider fail for $hold milliseconds.
provider_fails() {
  tell_provider faults "times=20000&$1" || wrong "the provider does not understand $1"
  pause_ms "$hold"
  tell_provider heal || wrong "the provider does not heal"
}

# provider_takes MILLISECONDS: sets how long the provider takes for each call.
provider_takes() { tell_provider latency "ms=$1" || wrong "the provider does not take $1 ms"; }

fault_provider_slow() {
  provider_takes 700
  pause_ms "$hold"
  provider_takes 0
}

fault_provider_silent() { provider_fails 'kind=silence'; }
fault_provider_lost() { provider_fails "kind=$target&charged=true"; }
fault_provider_outage() { provider_fails 'kind=reset'; }
fault_provider_errors() { provider_fails "kind=status&status=${target#* }"; }
fault_provider_conflicts() { provider_fails 'kind=status&status=409'; }
fault_provider_twice() { provider_fails 'kind=twice&charged=true'; }
# Callers wait for one second only.
fault_provider_late() { provider_fails 'kind=slow&delay=1300'; }

fault_provider_nonsense() {
  local charged=false
  [[ $target != after* ]] || charged=true
  provider_fails "kind=${kind#provider_}&charged=$charged"
}

fault_provider_stalled() {
  kill -STOP "${pid[provider]}"
  pause_ms "$hold"
  kill -CONT "${pid[provider]}"
}
