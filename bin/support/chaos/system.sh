# shellcheck shell=bash
# The system on which bin/chaos inflicts faults: a PostgreSQL, two of each process, and their traffic. bin/chaos sets
# $work (a directory), $bin (the executables), $seed and $traffic_s.
# shellcheck disable=SC2034,SC2154

programs=(api completer enqueuer reaper)
# fsync is on, because an acknowledged ride must survive a crash of the server.
server_settings=(fsync=on synchronous_commit=on max_connections=60 shared_buffers=128MB)
requests_per_s=60
# More than any kind of fault needs, except the one that exceeds the limit.
connection_limit=300

# By process name, such as api1: the pid, the port if it has one, and the log file if it is not $work/NAME.log.
declare -A pid=() port=() log_of=()
# The most memory that each program was seen to use, in MB.
declare -A peak_mb=()
problems=()

wrong() { problems+=("$*"); say "WRONG: $*"; }

now_ms() { local now=${EPOCHREALTIME/./}; printf '%s' "$((now / 1000))"; }
pause_ms() { (($1 <= 0)) || sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }
wait_until() { pause_ms $(($1 - $(now_ms))); }

# Runs psql as the server's owner, who may connect even when the connection limit is reached.
sql() { PGOPTIONS='-c client_min_messages=warning' "$psql" -X -q -A -t -v ON_ERROR_STOP=1 -d "$admin_url" "$@"; }

start_server() { "$private_postgres" start "$work/postgres" "${server_settings[@]}" >/dev/null; }

# within SECONDS COMMAND...: repeats the command until it succeeds.
within() {
  local until=$(($(now_ms) + $1 * 1000))
  shift
  until "$@" >/dev/null 2>&1; do
    (($(now_ms) < until)) || return 1
    sleep 0.1
  done
}

free_port() {
  local candidate
  # Below the ports of outgoing connections: none of these may take the port while the api is dead.
  for ((;;)); do
    candidate=$((20000 + SRANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || break
  done
  printf '%s' "$candidate"
}

# Apis and completers know the database by a host name, which needs TCP. Only their roles may connect over TCP, and only
# with a password. All others use the socket. The role rocket owns the tables, and no process uses it.
start_database() {
  local password=$SRANDOM$SRANDOM$SRANDOM
  port[database]=$(free_port)
  server_settings+=("port=${port[database]}")
  start_server
  admin_url=$("$private_postgres" url "$work/postgres" postgres "port=${port[database]}")
  sql <<END
CREATE ROLE rocket LOGIN CREATEROLE;
CREATE DATABASE chaos OWNER rocket;
SELECT current_setting('hba_file') AS rules \\gset
COPY (VALUES ('local all all trust'), ('host chaos rocket_api,rocket_completer 127.0.0.1/32 scram-sha-256')) TO :'rules';
END
  "$private_postgres" stop "$work/postgres"
  server_settings+=("listen_addresses='127.0.0.1'")
  start_server
  admin_url=${admin_url%/*}/chaos
  PGOPTIONS="-c client_min_messages=warning -c rocket.password=$password" "$psql" -X -q -v ON_ERROR_STOP=1 \
    -d "${admin_url/postgres@/rocket@}" -f "$root/schema.sql" -f "$root/bin/support/roles.sql" >/dev/null
  export PGPASSWORD=$password
  SIMULATOR_DATABASE_URL=$(url_of_role "$admin_url" simulator)
  export SIMULATOR_DATABASE_URL
}

start_system() {
  local program i
  start_database
  # Short times, so that recovery takes seconds. Completers practically never give up, so no key may be parked. Few users
  # send all traffic, and one of them has the only bad card, so users have no limits.
  export API_REQUESTS_PER_S=0 API_FAILED_CREDENTIALS_PER_MIN=0 API_DECLINES_PER_H=0 API_UNFINISHED_KEYS_PER_H=0 \
    API_KEYS_PER_DAY=0 COMPLETER_GRACE_S=1 COMPLETER_PAUSE_S=1 COMPLETER_LONGEST_PAUSE_S=4 \
    COMPLETER_MOST_ATTEMPTS=1000 COMPLETER_IDLE_MS=200 ENQUEUER_IDLE_MS=100 ENQUEUER_BATCH=50 REAPER_IDLE_MS=200 \
    REAPER_BATCH=50 API_LINE_LIMIT=64 API_MAX_CONNECTIONS=$connection_limit LOG_FORMAT=text METRICS_PORT=0
  start_provider
  for i in 1 2; do
    port[api$i]=$(free_port)
    for program in "${programs[@]}"; do start "$program$i"; done
  done
  add_old_keys
}

# launch NAME COMMAND...: runs the command in the background. If this script itself is killed, the command is killed
# too.
launch() {
  local name=$1
  shift
  setpriv --pdeathsig KILL "$@" >>"${log_of[$name]:-$work/$name.log}" 2>&1 &
  pid[$name]=$!
}

# The payment provider is a process of its own, which remembers what it charged.
start_provider() {
  port[provider]=$(free_port)
  export CHARGE_GATEWAY=stripe STRIPE_API_KEY=sk_test_of_specs STRIPE_API_BASE=http://127.0.0.1:${port[provider]} \
    STRIPE_CONNECT_TIMEOUT_MS=500 STRIPE_TIMEOUT_MS=1000 STRIPE_TOTAL_TIMEOUT_MS=3000 CIRCUIT_PAUSE_MS=500
  launch provider "$bin/payment_provider" --port "${port[provider]}"
  within 20 tell_provider heal || die "the payment provider does not start"
}

# tell_provider WHAT [FORM]
tell_provider() { curl -sf -m 5 -o /dev/null -d "${2:-}" "http://127.0.0.1:${port[provider]}/test/$1"; }

# start NAME [LOG LEVEL]: starts a process. If it is an api, waits until it answers.
start() {
  local name=$1 program=${1%?} url settings
  url=$(url_of_role "$admin_url" "$program")
  settings=("LOG_LEVEL=${2:-warn}" "API_PORT=${port[$1]:-}")
  if [[ $name == api* || $name == completer* ]]; then
    url="postgresql://rocket_$program@local.test:${port[database]}/chaos?sslmode=disable"
    settings+=(DATABASE_ALLOW_PLAINTEXT=on "LD_PRELOAD=${bin%/bin}/spec/libname_server.so"
      "NAMES_WAIT_FOR=$work/no-names.${name: -1}")
  fi
  launch "$name" env "${program^^}_DATABASE_URL=$url" "${settings[@]}" "$bin/$program"
  if [[ $name == api* ]]; then
    within 20 curl -sf -m 2 "http://127.0.0.1:${port[$name]}/healthz" || wrong "$name does not start"
  fi
}

note_memory() {
  local mb
  mb=$(awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/${pid[$1]}/status" 2>/dev/null) || return 0
  ((${mb:-0} <= ${peak_mb[${1%?}]:-0})) || peak_mb[${1%?}]=$mb
}

# status_of PID: waits for the end of the process and sets $status. Hides bash's own message about a killed process.
status_of() { { wait "$1" && status=0 || status=$?; } 2>/dev/null; }

# kill_hard NAME
kill_hard() {
  note_memory "$1"
  kill -KILL "${pid[$1]}" 2>/dev/null || true
  status_of "${pid[$1]}"
  ((status == 137)) || wrong "$1 ended by itself with status $status"
}

# stop NAME...: sends SIGTERM, as a deployment does. All processes must end properly and in time.
stop() {
  local name
  for name in "$@"; do
    note_memory "$name"
    kill -TERM "${pid[$name]}" 2>/dev/null || true
  done
  for name in "$@"; do
    # 10 s, and some more for a machine under load.
    within 15 ended "${pid[$name]}" || { wrong "$name did not stop in time"; kill -KILL "${pid[$name]}"; }
    status_of "${pid[$name]}"
    ((status == 0)) || wrong "$name stopped with status $status"
  done
}

ended() { ! kill -0 "$1" 2>/dev/null; }

# A process that ended by itself is a problem, and is started again.
check_alive() {
  local name
  for name in "${!pid[@]}"; do
    [[ $name != simulator* && $name != provider ]] || continue
    ended "${pid[$name]}" || { note_memory "$name"; continue; }
    status_of "${pid[$name]}"
    wrong "$name ended by itself with status $status"
    start "$name"
  done
}

# simulate NAME API ARGUMENTS...
simulate() {
  local name=$1 api=$2
  shift 2
  launch "$name" env LOG_LEVEL=warn "$bin/simulator" --url "http://127.0.0.1:${port[$api]}" \
    --request-timeout 3 --progress 200 --verify --overdue 60 "$@"
}

start_traffic() {
  local i
  for i in 1 2; do
    simulate "simulator$i" "api$i" --rate "$requests_per_s" --concurrency 12 --duration "$traffic_s" \
      --seed "$seed$i" --settle 120
  done
}

end_processes() {
  local each
  for each in "${pid[@]}"; do kill -KILL "$each" 2>/dev/null || true; done
  for each in "${pid[@]}"; do status_of "$each"; done
}

# expire_leases SECONDS: expires the leases that have been held for longer than so many seconds.
expire_leases() {
  sql -c "UPDATE idempotency_keys SET locked_at = locked_at - interval '90 seconds'
           WHERE id IN (SELECT id FROM idempotency_keys
                         WHERE finished_at IS NULL AND parked_at IS NULL AND locked_at < now() - interval '$1 seconds'
                           FOR UPDATE SKIP LOCKED)"
}

# Adds finished keys that are old enough for the reapers.
add_old_keys() {
  sql -c "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, request_params,
                                        recovery_point, created_at, response_code, response_body, finished_at)
          SELECT gen_random_uuid(), 1, gen_random_uuid(), 'POST', '/old', '{}', 'finished', at, 201, '', at
            FROM generate_series(1, 2000), (SELECT now() - interval '4 days' AS at) old"
}

# Prints what the clients of all simulators have seen so far, as label:count, one a line.
seen_by_clients() {
  local name
  for name in "$work"/simulator*.log; do
    [[ ! -f $name ]] || sed -n '/ progress seen=/ h; $ { g; s/.*seen="\?//; s/"//; s/,/\n/g; p }' "$name"
  done
}

seen_since() { pause_ms 300; seen_by_clients >"$work/seen"; }

# seen_until KIND: records what was seen since the last call as seen during faults of this kind, and describes it in
# $seen.
seen_until() {
  mv "$work/seen" "$work/seen.before"
  seen_since
  awk -F: -v kind="$1" 'FILENAME == ARGV[1] { count[$1] -= $2; next } NF == 2 { count[$1] += $2 }
    END { for (label in count) if (count[label] > 0) print kind "\t" label "\t" count[label] }' \
    "$work/seen.before" "$work/seen" >"$work/seen.now"
  [[ ! -f $work/seen.misfits ]] || { cat "$work/seen.misfits" >>"$work/seen.now"; rm "$work/seen.misfits"; }
  cat "$work/seen.now" >>"$work/seen.all"
  seen=$(told <"$work/seen.now")
}
