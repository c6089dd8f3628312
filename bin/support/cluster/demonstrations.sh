# shellcheck shell=bash
# bin/cluster --demo NAME: breaks something while clients book rides, waits until all is well again, and shows what the
# clients saw. Every acknowledged ride must be there in the end, and charged once.
# shellcheck disable=SC2154

all_demos=(switchover dead-postgres dead-machine woken-leader cut-off-leader)

check_demos() {
  local name
  [[ " ${demos[*]} " != *" all "* ]] || demos=("${all_demos[@]}")
  for name in "${demos[@]}"; do
    [[ " ${all_demos[*]} " == *" $name "* ]] || wrong_usage "there is no demo $name"
  done
}

demonstrate() {
  local name begun old acknowledged lost bad=0
  for name in "${demos[@]}"; do
    if [[ $name == cut-off-leader && -z $namespaces ]]; then
      say "demo $name needs network namespaces; left out"
      continue
    fi
    within 60 database_ready || fail "the replicas are not in step"
    old=$(leader) || fail "there is no leader"
    say "demo $name: PostgreSQL of $(name_of "$old") leads"
    start_clients
    await_rides 10
    begun=$(now_ms)
    "demo_${name//-/_}" "$old"
    await_rides 20
    stop_clients
    read -r acknowledged lost < <(lost_rides)
    printf '%-15s longest time without a ride: %s s; answers: %s; acknowledged rides: %s, lost: %s\n' "$name:" \
      "$(seconds "$(longest_gap "$begun")")" "$(answers_since "$begun")" "$acknowledged" "$lost"
    within 120 database_ready || fail "the replicas do not come back"
    within 60 apis_ready || fail "the apis do not come back"
    ((acknowledged > 0 && lost == 0)) || bad=1
  done
  within 60 nothing_left_to_send || { say "WRONG: staged jobs stay unsent"; bad=1; }
  simulate --verify-only --settle 60 >"$dir/demo/verify" 2>&1 || { cat "$dir/demo/verify" >&2; bad=1; }
  ((bad == 0)) || fail "something was lost or is wrong"
  say "nothing was lost, and nobody was charged twice"
}

seconds() { printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100)); }
nothing_left_to_send() { [[ $(sql -c 'SELECT count(*) FROM staged_jobs') == 0 ]]; }

demo_switchover() {
  switchover
  await_other_leader "$1"
}

demo_dead_postgres() {
  crash_postgres "$1"
  # Another one may take over, or this one comes back.
  within 90 leader || fail "no PostgreSQL leads"
}

demo_dead_machine() {
  machine_kill "$1"
  await_other_leader "$1"
  await_rides 20
  machine_start "$1"
}

demo_cut_off_leader() {
  machine_cut "$1"
  await_other_leader "$1"
  await_rides 20
  machine_join "$1"
}

# The woken machine must not acknowledge what nobody else knows. So before it wakes up, a client on its own network
# waits for it, and goes on writing to it until it has become a replica. What it acknowledges must be at the new leader.
demo_woken_leader() {
  local n=$1 woken writer acknowledged refused silent
  sql -c 'CREATE TABLE IF NOT EXISTS public.demo (id integer PRIMARY KEY)' -c 'TRUNCATE public.demo'
  machine_pause "$n"
  await_other_leader "$n"
  await_rides 20
  : >"$dir/demo/writes"
  write_to "$n" 8>&- &
  writer=$!
  woken=$(now_ms)
  machine_wake "$n"
  within 60 is_replica "$n" || fail "$(name_of "$n") does not become a replica"
  printf '%-15s the old leader was a replica %s s after it woke up\n' "" "$(seconds $(($(now_ms) - woken)))"
  touch "$dir/demo/enough"
  wait "$writer" || true
  acknowledged=$(grep -c ' acknowledged$' "$dir/demo/writes" || true)
  refused=$(grep -c ' refused$' "$dir/demo/writes" || true)
  silent=$(grep -c ' no answer$' "$dir/demo/writes" || true)
  printf '%-15s writes to the old leader meanwhile: acknowledged %s, refused %s, without an answer %s\n' "" \
    "$acknowledged" "$refused" "$silent"
  # Zero is what is expected. If there are some, they must have reached the new leader.
  [[ $(sql -c 'SELECT count(*) FROM public.demo') -ge $acknowledged ]] || fail "a write that was acknowledged is gone"
  sql -c 'DROP TABLE public.demo'
}

is_replica() { [[ $(role_of "$1") == replica ]]; }

# write_to N: inserts rows at the PostgreSQL of this machine, whatever its role, until $dir/demo/enough exists.
write_to() {
  local i url
  url="host=$(address_of "$1") port=$postgres_port user=postgres dbname=rides sslmode=require connect_timeout=2"
  for ((i = 1; ; i++)); do
    unless "$dir/demo/enough" || return 0
    if PGPASSWORD=$superuser_password at "$1" timeout 3 "$psql" -X -q -v ON_ERROR_STOP=1 -d "$url" \
      -c "INSERT INTO public.demo VALUES ($i)" >/dev/null 2>"$dir/demo/error"; then
      printf '%s acknowledged\n' "$i"
    elif [[ -s $dir/demo/error ]]; then
      printf '%s refused\n' "$i"
    else
      printf '%s no answer\n' "$i"
    fi >>"$dir/demo/writes"
    sleep 0.05
  done
}

await_other_leader() { within 90 other_leader "$1" || fail "no other PostgreSQL takes over"; }
other_leader() { local n; n=$(leader) && [[ $n != "$1" ]]; }
