# shellcheck shell=bash
# What bin/bench needs to measure: a PostgreSQL of its own, the processes, and the loads. bin/bench sets $work (a
# directory), $bin (the executables), $seconds (of each measurement), $port, $redis_port and $rabbitmq_port (and the two
# after it).
# shellcheck disable=SC2034,SC2154

pgbench=/usr/lib/postgresql/15/bin/pgbench
# As docs/operations.md recommends, with a quarter of the memory for shared_buffers. The yardsticks use the same server.
server_settings=(fsync=on synchronous_commit=on
  shared_buffers="$(awk '/MemTotal/ { print int($2 / 4096) }' /proc/meminfo)MB" max_wal_size=16GB min_wal_size=4GB
  wal_compression=lz4 checkpoint_timeout=30min)
declare -A running=()
# Command prefixes that keep the service and the load generator on certain processors. Usually empty.
serving=() generating=()

sql() { "$psql" -X -q -A -t -v ON_ERROR_STOP=1 -d "$DATABASE_URL" "$@"; }

# Makes segments of the write-ahead log that the server can use again. A server that has run for a while has them, and
# making one of 16 MB is slow.
start_server() {
  maintenance=$("$private_postgres" start "$work/postgres" "${server_settings[@]}")
  "$psql" -X -q -d "$maintenance" -c CHECKPOINT -c "
    DO \$\$ BEGIN
      FOR segment IN 1 .. 4096 / 16 LOOP
        PERFORM pg_logical_emit_message(false, '', '');
        PERFORM pg_switch_wal();
      END LOOP;
    END \$\$" -c CHECKPOINT
  DATABASE_URL=$("$private_postgres" url "$work/postgres" bench)
  export DATABASE_URL
}

# keep_apart: from now on the service and its server work on one processor, and the load generator on another.
# share_all: undoes that.
keep_apart() {
  serving=(taskset -c 0) generating=(taskset -c 1)
  server_on 0
}
share_all() {
  serving=() generating=()
  server_on "0-$(($(nproc) - 1))"
}
server_on() {
  local postmaster pid
  postmaster=$(ps -o ppid= -p "$(sql -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")")
  for pid in $postmaster $(pgrep -P "${postmaster// /}"); do taskset -acp "$1" "$pid" >/dev/null; done
}

# Makes a new database with a thousand riders, and a function that makes time-ordered ids as the api does.
fresh_database() {
  "$psql" -X -q -d "$maintenance" -c 'DROP DATABASE IF EXISTS bench' -c 'CREATE DATABASE bench' 2>/dev/null
  sql -f "$root/schema.sql" -f "$root/bin/support/roles.sql" >/dev/null
  sql -c "INSERT INTO users (email, stripe_customer_id)
          SELECT 'rider-' || i || '@example.com', 'cus_' || i FROM generate_series(0, 999) i"
  sql -c "CREATE FUNCTION id_of(at timestamptz, i bigint) RETURNS uuid LANGUAGE sql AS
          \$\$ SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' ||
                      substr(md5(i::text), 1, 3) || '8' || substr(md5(i::text), 4, 15))::uuid \$\$"
  sql -c 'ANALYZE users' -c 'CHECKPOINT'
}

# start NAME [VARIABLE=value | FLAG]...: starts an executable; its pid is then in $started.
start() {
  local name=$1 variables=()
  shift
  while [[ ${1:-} == [A-Z]*=* ]]; do
    variables+=("$1")
    shift
  done
  env LOG_LEVEL=warn METRICS_PORT=0 "${name^^}_DATABASE_URL=$(url_of_role "$DATABASE_URL" "$name")" "${variables[@]}" \
    "${serving[@]}" "$bin/$name" "$@" >>"$work/$name.log" 2>&1 &
  started=$!
  running[$started]=1
}

stop() {
  unset "running[$1]"
  kill "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# start_redis: starts a Redis that writes to the disk what it is given, as docs/operations.md recommends. Its pid is
# then in $started.
start_redis() {
  redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$work" --save '' --appendonly yes >"$work/redis.log" &
  started=$!
  running[$started]=1
  until redis-cli -p "$redis_port" ping >/dev/null 2>&1; do
    kill -0 "$started" 2>/dev/null || die "redis-server did not start; see $work/redis.log"
    sleep 0.05
  done
}

# lpush_rate COUNT: prints the pushes/s of so many values, each about as long as a job, by redis-benchmark's 50 clients.
lpush_rate() {
  redis-benchmark -p "$redis_port" -t lpush -n "$1" -d 250 --csv | sed -n 's/^"LPUSH","\([0-9]*\).*/\1/p'
}

# start_rabbitmq: starts a RabbitMQ with its default settings and the queue "default". The pids of RabbitMQ and of
# Erlang's port mapper are then in $rabbitmq and $mapper.
start_rabbitmq() {
  local variables=(HOME="$work" ERL_EPMD_PORT=$((rabbitmq_port + 2)) ERL_EPMD_ADDRESS=127.0.0.1
    RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_CONFIG_FILE="$work/rabbitmq.conf" RABBITMQ_ENABLED_PLUGINS_FILE="$work/plugins"
    RABBITMQ_MNESIA_BASE="$work/rabbitmq" RABBITMQ_LOG_BASE="$work/rabbitmq" RABBITMQ_NODENAME=bench@localhost
    RABBITMQ_NODE_PORT="$rabbitmq_port" RABBITMQ_DIST_PORT=$((rabbitmq_port + 1)) RABBITMQ_ALLOW_INPUT=1)
  printf 'listeners.tcp.default = 127.0.0.1:%s\nlog.file = false\nlog.console = true\nlog.console.level = error\n' \
    "$rabbitmq_port" >"$work/rabbitmq.conf"
  env "${variables[@]}" epmd -d >"$work/epmd.log" 2>&1 &
  mapper=$!
  running[$mapper]=1
  until grep -q 'epmd running' "$work/epmd.log"; do
    kill -0 "$mapper" 2>/dev/null || die "epmd did not start; see $work/epmd.log"
    sleep 0.05
  done
  env "${variables[@]}" /usr/lib/rabbitmq/bin/rabbitmq-server -noinput -kernel inet_dist_use_interface '{127,0,0,1}' \
    >"$work/rabbitmq.log" 2>&1 &
  rabbitmq=$!
  running[$rabbitmq]=1
  until grep -q 'completed with' "$work/rabbitmq.log"; do
    kill -0 "$rabbitmq" 2>/dev/null || die "rabbitmq-server did not start; see $work/rabbitmq.log"
    sleep 0.1
  done
  JOB_QUEUE="amqp://127.0.0.1:$rabbitmq_port" "$bin/enqueuer" --create-queue >/dev/null
}

now_ms() { local now=${EPOCHREALTIME/./}; printf '%s' "$((now / 1000))"; }

# start_api [VARIABLE=value...]: returns when it is ready; $ready_ms is how long that took. All load may come from one
# user, who may therefore hold the whole line. The limits are too high to be reached, and not 0, so that counting is
# measured too.
start_api() {
  local since
  since=$(now_ms)
  start api API_PORT="$port" API_CALLER_SHARE=100 API_ADDRESS_SHARE=100 API_REQUESTS_PER_S=1000000 \
    API_REQUEST_BURST=1000000 API_FAILED_CREDENTIALS_PER_MIN=1000000 API_DECLINES_PER_H=1000000000 \
    API_UNFINISHED_KEYS_PER_H=1000000000 API_KEYS_PER_DAY=1000000000 "$@"
  api=$started
  until curl -sf -o /dev/null "http://127.0.0.1:$port/readyz"; do
    kill -0 "$api" 2>/dev/null || die "api did not start; see $work/api.log"
  done
  ready_ms=$(($(now_ms) - since))
}

api_memory() { awk '/VmHWM/ { printf "%.0f", $2 / 1024 }' "/proc/$api/status"; }

# ride_load CONNECTIONS: prints rides/s, p50, p99, p99.9 and failures, tab-separated.
ride_load() {
  "${generating[@]}" wrk -t1 -c"$1" -d"$seconds" --timeout 10s -s "$root/bench/rides.lua" "http://127.0.0.1:$port" |
    sed -n 's/^figures\t//p'
}

# processor_time: prints how long the processors have worked so far, in hundredths of a second, tab-separated: for the
# load generators that have ended, for the api, and for all others (PostgreSQL).
processor_time() {
  local busy generator serving
  busy=$(awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 }' /proc/stat)
  generator=$(awk '{ print $16 + $17 }' /proc/$$/stat)
  serving=$(awk '{ print $14 + $15 }' "/proc/$api/stat")
  printf '%d\t%d\t%d\n' "$generator" "$serving" $((busy - generator - serving))
}

# pgbench_load SCRIPT CLIENTS: prints transactions (rides) a second and average latency in ms, tab-separated.
pgbench_load() {
  "$pgbench" -n -M prepared --max-tries=1000 -c "$2" -j 1 -T "$seconds" -f "$root/bench/$1.sql" "$DATABASE_URL" \
    2>"$work/pgbench.log" | awk '/^latency average/ { latency = $4 } /^tps/ { rate = $3 }
      END { printf "%.0f\t%.2f\n", rate, latency }'
  ! grep 'error' "$work/pgbench.log" || die "pgbench failed"
}

# store_keys COUNT: stores so many finished keys, as a day of traffic leaves them. Both indexes of the key then have
# keys from their whole range, but they are filled from one end to the other, which is faster.
store_keys() {
  sql -c "
    INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, request_params,
                                  origin_ip, recovery_point, created_at, last_run_at, response_code, response_body,
                                  finished_at)
    SELECT id_of(at, i), rider.id,
           lpad(to_hex(i * (9223372036854775807 / $1)), 16, '0') || '-' || substr(md5(i::text), 1, 15),
           'POST', '/rides', '{\"origin_lat\": 1.5, \"origin_lon\": 2.5, \"target_lat\": 3.5, \"target_lon\": 4.5}',
           '127.0.0.1', 'finished', at, at, 201,
           '{\"message\":\"Payment accepted. Your pilot is on their way!\",\"ride\":{\"id\":1000000,\"origin_lat\":1.5,\"origin_lon\":2.5,\"target_lat\":3.5,\"target_lon\":4.5,\"stripe_charge_id\":\"ch_0123456789abcdef01234567\",\"created_at\":\"2026-01-01T00:00:00.000000+00:00\"}}',
           at
      FROM (SELECT i, now() - interval '1 day' * (1 - i / $1.0) AS at FROM generate_series(1, $1) i) made,
           (SELECT id FROM users WHERE email = 'rider-0@example.com') rider"
  sql -c 'VACUUM ANALYZE idempotency_keys' -c 'CHECKPOINT'
}

# stage_jobs COUNT: stages so many receipts and removes all other jobs.
stage_jobs() {
  sql -c "TRUNCATE staged_jobs" -c "
    INSERT INTO staged_jobs (job_name, job_args)
    SELECT 'send_ride_receipt', jsonb_build_object('ride_id', i, 'user_id', 1, 'amount_cents', 2000, 'currency', 'usd')
      FROM generate_series(1, $1) i"
}

# drain_rate WORKER COUNT LEFT [VARIABLE=value...]: prints the rows/s of the worker until the query LEFT returns false.
drain_rate() {
  local worker=$1 count=$2 left=$3 since
  shift 3
  since=$(now_ms)
  start "$worker" "$@"
  until [[ $(sql -c "SELECT $left") == f ]]; do
    kill -0 "$started" 2>/dev/null || die "$worker ended; see $work/$worker.log"
    sleep 0.05
  done
  printf '%d\n' "$((count * 1000 / ($(now_ms) - since)))"
  stop "$started"
}
