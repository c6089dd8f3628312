# shellcheck shell=bash
# Our own processes, one of each on every machine. They run until their surroundings are there, so their order is free.
# shellcheck disable=SC2034,SC2154

programs=(api completer enqueuer reaper)

# One ledger for all processes of the mock provider, because it stands for a provider that all of them call.
app_variables() {
  local program=$1
  export "${program^^}_DATABASE_URL=$(database_url "rocket_$program" "$roles_password")"
  export MOCK_LEDGER=$dir/ledger/charges LOG_LEVEL=info
  # Few users send all traffic, so users have no limits. Short times, so that whoever looks on need not wait.
  export API_REQUESTS_PER_S=0 API_FAILED_CREDENTIALS_PER_MIN=0 API_DECLINES_PER_H=0 API_UNFINISHED_KEYS_PER_H=0 \
    API_KEYS_PER_DAY=0 COMPLETER_GRACE_S=10 COMPLETER_PAUSE_S=5 COMPLETER_LONGEST_PAUSE_S=20 \
    COMPLETER_MOST_ATTEMPTS=1000
}

run_app() {
  app_variables "$1"
  exec "${as_account[@]}" "$dir/bin/$1"
}

run_api() {
  local trusted hosts
  trusted=$(address_of "$front")
  hosts=$public_name,$(public_address),$(plain_address)
  export API_BIND=$address API_PORT=$api_port API_HOSTS=$hosts AUTH=token API_PROXY_HEADER=proxy-protocol \
    API_TRUSTED_PROXIES=$trusted
  # This is a demonstration: nobody pays.
  export API_ALLOW_UNSAFE=no-real-charges
  run_app api
}

run_completer() { run_app completer; }
run_reaper() { run_app reaper; }

# Each enqueuer uses the RabbitMQ of its machine. If that is away, the other machines' enqueuers take its jobs.
queue_variables() {
  local host
  host=$(address_of "$1"):$amqps_port
  export JOB_QUEUE=amqps://rides:$rabbitmq_password@$host/%2F JOB_QUEUE_CA_FILE=$dir/client/ca.pem
}

run_enqueuer() {
  queue_variables "$n"
  run_app enqueuer
}

create_queue() (
  app_variables enqueuer
  queue_variables 1
  at 1 timeout 30 "${as_account[@]}" "$dir/bin/enqueuer" --create-queue
)

# Makes a token for the demo user, and a file of options for curl.
make_client() (
  DATABASE_URL=$(database_url rocket "$owner_password")
  export DATABASE_URL MOCK_LEDGER=$dir/ledger/charges
  umask 077
  at "$front" timeout 30 "${as_account[@]}" "$dir/bin/api" --create-token user@example.com --name cluster |
    grep -o 'rr_[0-9A-Za-z_]*' | head -n 1 >"$dir/client/token"
  [[ -s $dir/client/token ]] || die "the api made no token"
  cat >"$dir/client/curlrc" <<END
noproxy = "*"
cacert = "$dir/client/ca.pem"
resolve = "$public_name:$clients_port:$(public_address)"
header = "Authorization: Bearer $(<"$dir/client/token")"
END
  ((EUID != 0)) || chown "$caller" "$dir/client/token" "$dir/client/curlrc"
)

base_url() { printf 'https://%s:%s' "$public_name" "$clients_port"; }

# simulate ARGUMENT...: runs the simulator on the front, with the settings that the processes have.
simulate() (
  app_variables simulator
  at "$front" "${as_account[@]}" "$dir/bin/simulator" --url "http://$(plain_address):$plain_port" "$@"
)
