# shellcheck shell=bash
# How to look at a cluster, and how to break it.
# shellcheck disable=SC2154

explain() {
  local n self=bin/cluster base logs="tail -f $dir/*/log/*.log"
  [[ $dir == "$default_dir" ]] || self+=" --dir $dir"
  # The directories are closed to all but root and the account.
  [[ $caller == "$EUID" ]] || logs="sudo sh -c '$logs'"
  base=$(base_url)
  printf '\nThe cluster in %s:\n\n' "$dir"
  for n in "${machines[@]}"; do
    printf '  %-10s %-14s etcd, Patroni, PostgreSQL, RabbitMQ, api, completer, enqueuer, reaper\n' \
      "$(name_of "$n")" "$(address_of "$n")"
  done
  printf '  %-10s %-14s HAProxy; from here: %s\n' front "$(address_of "$front")" "$(public_address)"
  cat <<END

Ride, by one name for all three apis. The file has the certificate authority, the address of the name, and the token of
user@example.com, which is also in $dir/client/token:

  curl -K $dir/client/curlrc -H "Idempotency-Key: \$(openssl rand -hex 32)" \\
    -d origin_lat=0 -d origin_lon=0 -d target_lat=0 -d target_lon=0 $base/rides

Look:

  $self status                    who leads, who is ready
  http://$(public_address):$stats_port/           HAProxy's statistics
  $self sql -c 'TABLE rides'      the leader, through Patroni's choice
  $self simulate --rate 20 --duration 60 --verify
  $logs

Break:

  $self kill N | start N          pull the plug of a machine, turn it on again
  $self pause N | wake N          suspend it, wake it up
  $self cut N | join N            take it off the network, put it back
  $self crash N                   kill only its PostgreSQL
  $self switchover                let another PostgreSQL lead

END
}

obey() {
  local what=$1
  shift
  case $what in
    status | switchover) (($# == 0)) || wrong_usage "$what takes no argument" ;;
    kill | start | pause | wake | cut | join | crash)
      [[ $# == 1 && ${1:-} =~ ^[1-3]$ ]] || wrong_usage "$what needs the number of a machine, 1 to 3" ;;
  esac
  case $what in
    status) show_status ;;
    kill | start | pause | wake | cut | join) "machine_$what" "$1" ;;
    crash) crash_postgres "$1" ;;
    switchover) switchover ;;
    sql) PGPASSWORD=$superuser_password at "$front" "$psql" -d "$(database_url postgres "")" "$@" ;;
    patronictl) patronictl_on "$(first_on)" "$@" ;;
    rabbitmqctl) rabbitmqctl_on "$(first_on)" -q "$@" ;;
    simulate) simulate "$@" ;;
    demo)
      # shellcheck disable=SC2034
      demos=("$@")
      (($#)) || wrong_usage "demo needs a name"
      check_demos
      demonstrate ;;
    *) wrong_usage "unknown command $what" ;;
  esac
}

# first_on: prints the number of a machine that is on.
first_on() {
  local n
  for n in "${machines[@]}"; do
    ! is_on "$n" || { printf '%s' "$n"; return 0; }
  done
  die "all machines are off"
}

show_status() {
  local n
  for n in "${machines[@]}"; do
    if is_on "$n"; then
      printf '%s: PostgreSQL is %s\n' "$(name_of "$n")" "$(role_of "$n" | grep . || printf 'not answering')"
    else
      printf '%s: off\n' "$(name_of "$n")"
    fi
  done
  statistics | awk -F, '($1 == "apis" || $1 == "leader") && $2 != "BACKEND" && $2 != "FRONTEND" {
    printf "HAProxy: %s of %s is %s\n", ($1 == "apis" ? "api" : "leader"), $2, $18 }' || true
  sql -F ' ' <<'END' || printf 'no PostgreSQL takes writes\n'
SELECT 'replica', application_name, state, sync_state FROM pg_stat_replication ORDER BY application_name;
SELECT 'rides:', count(*) FROM rides;
SELECT 'jobs not sent yet:', count(*) FROM staged_jobs;
SELECT 'requests not finished:', count(*) FROM idempotency_keys WHERE finished_at IS NULL;
END
}

# crash_postgres N: kills all processes of PostgreSQL, and no others.
crash_postgres() {
  local pid
  for pid in $(pids_of "$1"); do
    [[ $(cat "/proc/$pid/comm" 2>/dev/null) != postgres ]] || kill -KILL "$pid" 2>/dev/null || true
  done
}

# switchover: asks Patroni to let the replica lead that has every commit.
switchover() {
  local from
  from=$(leader) || die "there is no leader"
  patronictl_on "$from" switchover --master "$(name_of "$from")" --force rides >/dev/null ||
    die "Patroni refuses to switch over"
}
