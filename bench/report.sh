# shellcheck shell=bash
# The output of bin/bench: a table for the terminal, and docs/performance.md with its plots. Reads $results,
# tab-separated: section, x, rate, and for rides p50, p99 and p99.9 in ms and the number of failures.
# shellcheck disable=SC2154

# figure SECTION X [COLUMN]: prints one figure. Column 3, the default, is the rate.
figure() { awk -F'\t' -v s="$1" -v x="$2" -v c="${3:-3}" '$1 == s && $2 == x { print $c; exit }' "$results"; }
# best SECTION: prints the highest rate of a section.
best() { awk -F'\t' -v s="$1" '$1 == s && $3 > m { m = $3 } END { print m + 0 }' "$results"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf (a / b < 10 ? "%.2f" : "%.1f"), a / b }'; }

machine() {
  printf '%s cores (%s), %s GiB, Linux %s; PostgreSQL %s, g++ %s; %s; commit %s\n' "$(nproc)" \
    "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
    "$(awk '/MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)" "$(uname -r | cut -d. -f1,2)" \
    "$(sql -c 'SHOW server_version' | cut -d' ' -f1)" "$(g++ -dumpfullversion)" "$(date +%F)" \
    "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)"
}

bound_name() {
  case $1 in
    one-processor) printf 'one processor, the generator on another' ;;
    *) printf 'the %s' "$1" ;;
  esac
}

# Prints one row per comparison: the name with its unit, the figure, and the ratio to what it is compared with.
comparisons() {
  local two classic peak alone
  two=$(best two-statements)
  classic=$(best classic)
  peak=$(best connections)
  alone=$(figure two-statements 1 4)
  line() { printf '| %s | %s | %s |\n' "$1" "$2" "$3"; }
  line 'rides/s at 256 connections' "$(figure connections 256)" \
    "$(ratio "$(figure connections 256)" "$two") × (b) at its best, $(ratio "$(figure connections 256)" "$classic") × (a) at its best"
  line 'median latency at 1 connection, ms' "$(figure connections 1 4)" \
    "$(ratio "$(figure connections 1 4)" "$alone") × (b) with one client"
  line 'p99 at 256 connections, ms' "$(figure connections 256 5)" "$(ratio "$(figure connections 256 5)" \
    "$(figure connections 256 4)") × the median"
  line 'processor time of a ride at 256 connections: PostgreSQL, µs' "$(ride_cost 256 5)" 'the kernel included'
  line 'the same: api, µs' "$(ride_cost 256 4)" 'the kernel included'
  line 'failed or refused requests without overload' "$(awk -F'\t' '$7 != "" && $1 != "idle_beside" && $1 !~ /overload/ { f += $7 } END { print f + 0 }' "$results")" ''
  line 'rides/s with 200 ms provider latency' "$(figure provider_latency 200)" \
    "$(ratio "$(figure provider_latency 200)" 1280) × what 256 connections can reach"
  line 'the same, charged over HTTP at a provider of 200 ms' "$(figure stripe_latency 200)" \
    "$(ratio "$(figure stripe_latency 200)" 1280) × what 256 connections can reach"
  local bound offered
  for bound in $bounds; do
    offered=$(awk -v a="$(figure overload "$bound")" -v r="$(figure overload "$bound" 4)" 'BEGIN { print a + r }')
    line "accepted rides/s, overload, limited by $(bound_name "$bound")" "$(figure overload "$bound")" \
      "$(ratio "$(figure overload "$bound")" "$(figure before_overload "$bound")") × without, at $(ratio "$offered" "$(figure before_overload "$bound")") × as many requests"
  done
  line 'rides/s with the most keys stored' "$(figure stored "${stored##* }")" \
    "$(ratio "$(figure stored "${stored##* }")" "$(figure stored 0)") × the empty database"
  local worker
  for worker in enqueuer reaper completer; do
    line "$worker, rows/s" "$(figure drain "$worker")" "$(ratio "$(figure drain "$worker")" "$peak") × the api's peak"
  done
  line 'enqueuer to Redis, jobs/s' "$(figure drain enqueuer-to-redis)" \
    "$(ratio "$(figure drain enqueuer-to-redis)" "$(figure lpush redis-benchmark)") × redis-benchmark's LPUSH/s"
  line 'enqueuer to RabbitMQ, jobs/s' "$(figure drain enqueuer-to-rabbitmq)" \
    "$(ratio "$(figure drain enqueuer-to-rabbitmq)" "$(figure publish publish-loop)") × a bare loop that publishes and awaits confirms"
  local undisturbed
  undisturbed=$(awk -F'\t' '$1 == "idle_beside" && $2 == "none" { s += $3; n++ } END { print s / n }' "$results")
  for worker in enqueuer reaper completer; do
    line "api beside an idle $worker, answers/s" "$(figure idle_beside "$worker")" \
      "$(ratio "$(figure idle_beside "$worker")" "$undisturbed") × without"
  done
  line 'memory of api at 1,024 connections, MiB' "$(figure memory 1024)" ''
  line 'api from start to ready, ms' "$(figure ready api)" ''
}

report() {
  printf '\n%s\n\n' "$(machine)"
  { echo '| what | measured | compared |'; comparisons; } | column -t -s'|' -o'|'
}

# table SECTION HEADING: prints a table of the rides of a section.
table() {
  printf '| %s | rides/s | × (b) | p50 ms | p99 ms | p99.9 ms |\n|---:|---:|---:|---:|---:|---:|\n' "$2"
  awk -F'\t' -v s="$1" -v b="$(best two-statements)" \
    '$1 == s { printf "| %s | %s | %.2f | %s | %s | %s |\n", $2, $3, $3 / b, $4, $5, $6 }' "$results"
}

overload_table() {
  printf '| limited by | rides/s before | accepted/s | refused/s | p50 ms of all | p99 ms of accepted | rides/s after |\n'
  printf '|---|---:|---:|---:|---:|---:|---:|\n'
  local bound
  for bound in $bounds; do
    printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$(bound_name "$bound")" "$(figure before_overload "$bound")" \
      "$(figure overload "$bound")" "$(figure overload "$bound" 4)" "$(figure overload "$bound" 5)" \
      "$(figure overload "$bound" 6)" "$(figure after_overload "$bound")"
  done
}

# share BOUND LOAD COLUMN: prints the share of all processors, in percent, during the first load (without overload) or
# the second.
share() {
  awk -v a="$(figure processor_time "$1-$(($2 - 1))" "$3")" -v b="$(figure processor_time "$1-$2" "$3")" \
    -v all="$((seconds * $(nproc)))" 'BEGIN { printf "%.0f", (b - a) / all }'
}

processors_table() {
  printf '| limited by | load | generator %% | api %% | PostgreSQL %% |\n|---|---|---:|---:|---:|\n'
  local bound
  for bound in $bounds; do
    printf '| %s | before | %s | %s | %s |\n' "$(bound_name "$bound")" "$(share "$bound" 1 3)" "$(share "$bound" 1 4)" "$(share "$bound" 1 5)"
    printf '| %s | overload | %s | %s | %s |\n' "$(bound_name "$bound")" "$(share "$bound" 2 3)" "$(share "$bound" 2 4)" "$(share "$bound" 2 5)"
  done
}

# ride_cost CONNECTIONS COLUMN: prints the µs of processor time that PostgreSQL (5) or the api (4) needs for a ride.
ride_cost() {
  awk -v a="$(figure processor_time "connections-$1-0" "$2")" -v b="$(figure processor_time "connections-$1-1" "$2")" \
    -v rides="$(figure connections "$1")" -v seconds="$seconds" 'BEGIN { printf "%.0f", (b - a) * 10000 / (rides * seconds) }'
}

# refusal_cost COLUMN: prints the µs that the generator (3) or the api (4) needs for a refused request. That is its time
# during the overload without the time for the accepted rides, each of which costs as much as before.
refusal_cost() {
  awk -v start="$(figure processor_time processors-0 "$1")" -v between="$(figure processor_time processors-1 "$1")" \
    -v end="$(figure processor_time processors-2 "$1")" -v rides="$(figure before_overload processors)" \
    -v accepted="$(figure overload processors)" -v refused="$(figure overload processors 4)" -v seconds="$seconds" \
    'BEGIN { printf "%.1f", (end - between - (between - start) * accepted / rides) * 10000 / (refused * seconds) }'
}

# cost_allowed BOUND PROCESSORS: prints the µs that a refusal may take if, at five times the rate before, rides must
# still be made at 80 % of that rate.
cost_allowed() { awk -v n="$2" -v r="$(figure before_overload "$1")" 'BEGIN { printf "%.1f", n * 0.2 * 1e6 / (4.2 * r) }'; }

one_processor_text() {
  [[ $bounds == *one-processor* ]] || return 0
  printf '\nOn one processor, with the generator on another, each refusal cost the rides %s µs, and might cost them %s µs.\n' \
    "$(awk -v r="$(figure before_overload one-processor)" -v a="$(figure overload one-processor)" \
      -v n="$(figure overload one-processor 4)" 'BEGIN { printf "%.1f", (1 - a / r) * 1e6 / n }')" \
    "$(cost_allowed one-processor 1)"
}

yardstick_table() {
  printf '| clients | (a) rides/s | (b) rides/s | (b) latency ms |\n|---:|---:|---:|---:|\n'
  local clients
  for clients in $yardstick_clients; do
    printf '| %s | %s | %s | %s |\n' "$clients" "$(figure classic "$clients")" "$(figure two-statements "$clients")" \
      "$(figure two-statements "$clients" 4)"
  done
}

# plot NAME TITLE XLABEL YLABEL COMMANDS...: docs/performance/NAME.svg; the commands end with a plot.
plot() {
  local name=$1 title=$2 xlabel=$3 ylabel=$4
  shift 4
  mkdir -p "$root/docs/performance"
  gnuplot <<GNUPLOT
set terminal svg size 640,360 font "sans-serif,12" background "white"
set output "$root/docs/performance/$name.svg"
set datafile separator "\t"
set title "$title"
set xlabel "$xlabel"
set ylabel "$ylabel"
set key bottom right
set grid
set yrange [0:*]
$(printf '%s\n' "$@")
GNUPLOT
}

# data SECTION: writes a section's rows to a file, and prints its name as gnuplot wants it.
data() {
  awk -F'\t' -v s="$1" '$1 == s' "$results" >"$work/$1.tsv"
  printf '"%s"' "$work/$1.tsv"
}

plots() {
  local b a
  b=$(best two-statements)
  a=$(best classic)
  plot throughput 'Throughput against connections' 'connections' 'rides/s' 'set logscale x 2' 'set key top left' \
    "plot $(data connections) using 2:3 with linespoints lw 2 title 'api', $b with lines dt 2 title '(b) two statements, best', $a with lines dt 3 title '(a) classic, best'"
  plot latency 'Latency against connections' 'connections' 'ms' 'set logscale x 2' 'set logscale y' 'set yrange [*:*]' \
    "plot $(data connections) using 2:6 with linespoints title 'p99.9', '' using 2:5 with linespoints title 'p99', '' using 2:4 with linespoints title 'p50'"
  plot batch-limit 'Throughput against batch limit, 256 connections' 'phases per transaction at most' 'rides/s' \
    'set logscale x 2' "plot $(data batch_limit) using 2:3 with linespoints lw 2 title 'api', $b with lines dt 2 title '(b), best'"
  plot provider-latency 'Throughput against provider latency, 256 connections' 'latency of the provider, ms' 'rides/s' \
    "plot $(data provider_latency) using 2:3 with linespoints lw 2 title 'api'"
  plot stored-keys 'Throughput against keys stored, 256 connections' 'keys stored' 'rides/s' 'set logscale x 10' \
    "plot $(data stored) using (\$2 < 1 ? 1 : \$2):3 with linespoints lw 2 title 'api', $b with lines dt 2 title '(b) on an empty database, best'"
}

write_document() {
  plots
  cat >"$root/docs/performance.md" <<DOCUMENT
# Performance

Written by \`bin/bench\`; do not edit. $(machine).

Load generator (wrk, one thread), api and PostgreSQL share the machine. PostgreSQL runs with
\`${server_settings[*]}\`.
Each figure comes from ${seconds} seconds on a new database, unless it is said otherwise. Every ride is a new random key, a
claim, a ride, a charge at the mock provider, a staged receipt and a stored answer.

The yardsticks are pgbench, which speaks no HTTP and has the machine to itself, over the same schema in the same run:

- **(a)** the classic way: each phase a SERIALIZABLE transaction of several statements (\`bench/classic.sql\`);
- **(b)** the least that keeps the charge outside of a transaction: two transactions of one statement each
  (\`bench/two-statements.sql\`).

| what | measured | compared |
|---|---:|---|
$(comparisons)

## Yardsticks

$(yardstick_table)

## Connections

![Throughput](performance/throughput.svg)
![Latency](performance/latency.svg)

$(table connections connections)

## A longer while

At 256 connections, ${seconds} seconds after ${seconds} seconds on the same database.

$(table sustained 'until second')

Linux keeps what PostgreSQL appends to its files for 30 seconds and then writes all of it at once, and commits wait behind
that. Sizing in \`docs/operations.md\` says what to set against it; bin/bench leaves the machine's settings alone.

## Batch limit

Phases that share one transaction at most, at 256 connections. A limit of 1 is one transaction per request and phase.

![Batch limit](performance/batch-limit.svg)

$(table batch_limit limit)

## Provider latency

At 256 connections. With a provider that takes 200 ms, 256 connections can make 1,280 rides/s at most.

![Provider latency](performance/provider-latency.svg)

$(table provider_latency ms)

## Overload

More requests than can be done are refused with 503 and \`Retry-After\`. Limited by the provider: it takes 200 ms, the
api works for 512 requests at once, and 2,048 connections send more. Limited by the processors: the api works for 256 at
once, and 512 connections send as fast as they get answers. Limited by one processor: the same, with api and PostgreSQL
on that one and the load generator on another; each connection waits 8 ms on average before it sends. "After" begins at
once.

$(overload_table)

Sending and refusing uses the processors that rides need, since the load generator shares them:

$(processors_table)

A refused request takes the generator $(refusal_cost 3) µs and the api $(refusal_cost 4) µs, kernel included. To make
80 % of the rides at five times their rate, both together might take $(cost_allowed processors "$(nproc)") µs.
$(one_processor_text)

## Keys stored

At 256 connections, with so many finished keys of the last 24 hours in the table, after $warm_up seconds of the same.

![Stored keys](performance/stored-keys.svg)

$(table stored keys)

## Users

At 256 connections.

$(table users users)

## Workers

With $(figure stored "${stored##* }" 2) keys stored. Each worker drains a backlog of $backlog rows alone on the machine; the api's
answers beside an idle worker are declined rides at 256 connections, which stage no jobs.

| worker | rows/s | × the api's peak |
|---|---:|---:|
$(for worker in enqueuer reaper completer; do
    printf '| %s | %s | %s |\n' "$worker" "$(figure drain "$worker")" "$(ratio "$(figure drain "$worker")" "$(best connections)")"
  done)

With \`JOB_QUEUE=redis://…\` the enqueuer moves $(figure drain enqueuer-to-redis) jobs/s into a Redis that writes each
down (\`appendonly yes\`): $(ratio "$(figure drain enqueuer-to-redis)" "$(figure lpush redis-benchmark)") × the $(figure lpush redis-benchmark) pushes/s that redis-benchmark's 50 clients reach there, one
value a push, because a batch is one push.

With \`JOB_QUEUE=amqp://…\` it moves $(figure drain enqueuer-to-rabbitmq) jobs/s into a durable quorum queue of a
RabbitMQ, each confirmed before it is deleted: $(ratio "$(figure drain enqueuer-to-rabbitmq)" "$(figure publish publish-loop)") × the $(figure publish publish-loop) messages/s of a bare loop
(\`bench/publish.cc\`) that reads no database.
DOCUMENT
}
