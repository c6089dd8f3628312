# shellcheck shell=bash
# The faults. Each kind is a function fault_KIND, which inflicts it on $target for $hold milliseconds and heals it.
# shellcheck disable=SC2034,SC2154

kinds=(kill_api kill_completer kill_enqueuer kill_reaper kill_backend
  stall_api stall_completer stall_enqueuer stall_reaper
  cut crash exhausted locked
  provider_slow provider_silent provider_stalled provider_lost provider_outage provider_errors
  resets idle garbage oversize duplicates overload
  killed_and_crash deployed)
declare -A title=(
  [kill_api]='api: SIGKILL' [kill_completer]='completer: SIGKILL' [kill_enqueuer]='enqueuer: SIGKILL'
  [kill_reaper]='reaper: SIGKILL' [kill_backend]='PostgreSQL: SIGKILL of a backend'
  [stall_api]='api: SIGSTOP beyond its lease, SIGCONT' [stall_completer]='completer: SIGSTOP beyond its lease, SIGCONT'
  [stall_enqueuer]='enqueuer: SIGSTOP, SIGCONT' [stall_reaper]='reaper: SIGSTOP, SIGCONT'
  [cut]='database: connections cut' [crash]='database: immediate shutdown, restart'
  [exhausted]='database: connection limit exhausted' [locked]='database: table locked'
  [provider_slow]='provider: slow' [provider_silent]='provider: never answers'
  [provider_stalled]='provider: SIGSTOP, SIGCONT' [provider_lost]='provider: charges, its answers are lost'
  [provider_outage]='provider: outage' [provider_errors]='provider: 5xx, 429'
  [resets]='clients: abrupt resets' [idle]='clients: idle and half-sent requests' [garbage]='clients: garbage'
  [oversize]='clients: oversize requests' [duplicates]='clients: parallel duplicates' [overload]='overload burst'
  [killed_and_crash]='SIGKILL, and the database crashes meanwhile' [deployed]='all processes: SIGTERM, restart')
tables=(idempotency_keys rides staged_jobs users)
losses=(reset cut)
statuses=(500 502 503 504 429)

# Everything random is drawn here, from the seed alone: "start (ms) kind hold (ms) draw".
make_schedule() {
  local count=$((minutes * 12)) round=() i pick
  schedule=() kind_of=()
  RANDOM=$seed
  # The first numbers of neighbouring seeds are alike.
  for ((i = 0; i < 20; i++)); do pick=$RANDOM; done
  ((minutes < 2 || count > ${#kinds[@]})) || count=${#kinds[@]}
  # Each kind comes once before one comes again.
  for ((i = 0; i < count; i++)); do
    ((${#round[@]})) || round=("${kinds[@]}")
    pick=$((RANDOM % ${#round[@]}))
    kind_of+=("${round[pick]}")
    schedule+=("$((i * minutes * 60000 / count + RANDOM % 1000)) ${round[pick]} $((800 + RANDOM % 1700)) $RANDOM")
    round=("${round[@]:0:pick}" "${round[@]:pick+1}")
  done
}

# aim KIND DRAW: $target, from the number that was drawn.
aim() {
  local which=$((1 + $2 % 2))
  case $1 in
    kill_backend) target="backend $(($2 % 10))" ;;
    kill_* | stall_*) target=${1#*_}$which ;;
    provider_lost) target=${losses[$2 % 2]} ;;
    provider_errors) target="status ${statuses[$2 % 5]}" ;;
    provider_*) target=provider ;;
    deployed) target='one after another' ;;
    killed_and_crash) target=${programs[$2 / 2 % 4]}$which ;;
    locked) target=${tables[$2 % 4]} ;;
    exhausted) target="$(($2 % 4)) connections allowed" ;;
    cut | crash) target=database ;;
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
    *) "fault_$kind" ;;
  esac
}

# --- processes

# catch_at_work COMMAND...: does it to the target while charges are under way, if it is one of those that make them.
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
  # What it held may be taken over now, rather than in 90 seconds.
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
  # Of those that work, too; so somebody else takes over what they are in the middle of.
  expire_leases 0
  # Time for the completers to take over.
  pause_ms $((hold + 1000))
  kill -CONT "${pid[$target]}"
}

# --- database

fault_kill_backend() {
  local victim
  victim=$(sql -c "SELECT pid FROM pg_stat_activity WHERE usename = 'rocket' ORDER BY pid OFFSET ${target#* } LIMIT 1")
  [[ -z $victim ]] || kill -KILL "$victim" 2>/dev/null || true
  pause_ms 300
  within 60 sql -c 'SELECT 1' || wrong "PostgreSQL does not come back"
}

cut_connections() {
  sql -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'rocket'" >/dev/null
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
  sql -c "ALTER ROLE rocket CONNECTION LIMIT ${target%% *}"
  cut_connections
  pause_ms "$hold"
  sql -c 'ALTER ROLE rocket CONNECTION LIMIT -1'
}

fault_locked() {
  sql -c "BEGIN; LOCK TABLE $target; SELECT pg_sleep($hold / 1000.0); COMMIT" >/dev/null
}

fault_killed_and_crash() {
  catch_at_work kill_hard "$target"
  fault_crash
  expire_leases 0
  start "$target"
}

# --- payment provider

# For a while; each call until then.
provider_fails() {
  tell_provider faults "times=20000&$1" || wrong "the provider does not understand $1"
  pause_ms "$hold"
  tell_provider heal || wrong "the provider does not heal"
}

# provider_takes MILLISECONDS: for each call.
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

fault_provider_stalled() {
  kill -STOP "${pid[provider]}"
  pause_ms "$hold"
  kill -CONT "${pid[provider]}"
}

# --- clients

ride='origin_lat=1.5&origin_lon=2.5&target_lat=3.5&target_lon=4.5'
form=application/x-www-form-urlencoded

# ride_request KEY
ride_request() {
  printf 'POST /rides HTTP/1.1\r\nHost: chaos\r\nAuthorization: user@example.com\r\nIdempotency-Key: %s\r\n' "$1"
  printf 'Content-Type: %s\r\nContent-Length: %d\r\n\r\n%s' "$form" "${#ride}" "$ride"
}

# misfits LABEL STATUS...: counts what the clients of a fault saw themselves; they must be refused with 4xx.
misfits() {
  local label=$1 status
  shift
  for status in "$@"; do
    [[ $status == 4?? ]] || wrong "$label was answered with $status"
    printf '%s\t%s to %s\t1\n' "$kind" "$status" "$label" >>"$work/seen.misfits"
  done
}

# Closing a socket that has, or gets, something to read resets the connection.
fault_resets() (
  trap '' PIPE
  for ((i = 0; i < 60; i++)); do
    exec {socket}<>"/dev/tcp/127.0.0.1/${port[$target]}" || continue
    ride_request "chaos-reset-$number-$i-0123456789" >&"$socket" || true
    ((i % 3)) || sleep 0.02
    exec {socket}>&-
  done 2>/dev/null
)

fault_idle() (
  trap '' PIPE
  for ((i = 0; i < 150; i++)); do
    exec {socket}<>"/dev/tcp/127.0.0.1/${port[$target]}" || continue
    ((i % 2)) || { ride_request "chaos-idle-$number-$i-0123456789" | head -c $((i + 20)) >&"$socket"; } || true
  done 2>/dev/null
  pause_ms "$hold"
)

fault_garbage() {
  local i answers=() status socket
  for ((i = 0; i < 20; i++)); do
    exec {socket}<>"/dev/tcp/127.0.0.1/${port[$target]}"
    LC_ALL=C awk -v seed="$number$i" 'BEGIN {
      srand(seed); for (i = 0; i < 400; i++) printf "%c", 1 + int(rand() * 255); printf "\r\n\r\n" }' >&"$socket"
    status=''
    read -r -t 3 _ status _ <&"$socket" || true
    exec {socket}>&-
    answers+=("$status")
  done
  misfits garbage "${answers[@]}"
}

fault_oversize() {
  local url=http://127.0.0.1:${port[$target]} long
  local ask=(curl -s -m 5 -o /dev/null -w '%{http_code}' -H 'Authorization: user@example.com' -H 'Expect:')
  long=$(printf '%090000d' 0)
  misfits 'a body of 8 MB' "$(head -c 8000000 /dev/zero |
    "${ask[@]}" -H "Idempotency-Key: ${long:0:40}" --data-binary @- "$url/rides" || true)"
  misfits 'a header of 90 kB' "$("${ask[@]}" -H "Idempotency-Key: $long" -d "$ride" "$url/rides" || true)"
  misfits 'a path of 90 kB' "$("${ask[@]}" -d "$ride" "$url/$long" || true)"
}

# The same request 40 times at once, and once more until there is an answer: it is the same for all.
fault_duplicates() {
  local i urls=() answers bodies
  local ask=(curl -s -m 5 -d "$ride" -H 'Authorization: user@example.com'
    -H "Idempotency-Key: chaos-duplicate-$number-0123456789")
  for ((i = 0; i < 40; i++)); do
    urls+=(-o "$work/duplicate.$i" "http://127.0.0.1:${port[api$((1 + i % 2))]}/rides")
  done
  # Its progress is shown by several transfers even when -s says not to.
  mapfile -t answers < <(
    "${ask[@]}" -Z --parallel-immediate --parallel-max 40 -w '%{http_code}\n' "${urls[@]}" 2>/dev/null)
  for i in "${answers[@]}"; do
    [[ $i =~ ^(201|409|503)$ ]] || wrong "a duplicate was answered with $i"
    printf '%s\t%s to a duplicate\t1\n' "$kind" "$i" >>"$work/seen.misfits"
  done
  within 20 "${ask[@]}" -f -o "$work/duplicate.last" "http://127.0.0.1:${port[api1]}/rides" ||
    wrong "a duplicate got no answer"
  bodies=$(cat "$work"/duplicate.* | grep -o '{"message":[^}]*}}' | sort -u | wc -l)
  ((bodies == 1)) || wrong "duplicates got $bodies different answers"
  rm -f "$work"/duplicate.*
}

fault_overload() {
  local i
  for i in 1 2; do
    simulate "simulator-burst$number-$i" "api$i" --rate 0 --concurrency 120 --duration 2 --seed "$seed$number$i" \
      --settle 0
  done
  for i in 1 2; do
    status_of "${pid[simulator-burst$number-$i]}"
    ((status == 0)) || wrong "the simulator of a burst found something; see simulator-burst$number-$i.log"
  done
}
