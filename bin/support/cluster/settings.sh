# shellcheck shell=bash
# What every part of bin/cluster knows about the cluster in $dir: its machines, their addresses and ports, and its
# passwords. The machines 1 to 3 do the work; the machine 4, "front", has HAProxy.
# shellcheck disable=SC2034,SC2154

machines=(1 2 3)
front=4
public_name=rides.test

# These lines are written once, when the cluster is made. Other calls of bin/cluster and the machines read them.
#   namespaces   1 if machines are network namespaces, empty if they are loopback addresses
#   account      who runs the processes on the machines
#   caller       who may read the demo user's token
#   net          the first three numbers of all addresses
#   link         the name of this computer's network interface to the front
#   *_port       the ports
state_lines=(namespaces account caller net link etcd_port etcd_peer_port postgres_port patroni_port amqps_port
  erlang_port epmd_port api_port clients_port leader_port plain_port stats_port)
secret_lines=(superuser_password replication_password roles_password owner_password patroni_password rabbitmq_password
  erlang_cookie)

# write_lines FILE NAME...: writes these variables so that a shell can read them.
write_lines() {
  local file=$1 name
  shift
  for name in "$@"; do printf '%s=%q\n' "$name" "${!name}"; done >"$file"
}

read_settings() {
  # shellcheck source=/dev/null
  . "$dir/state"
  # shellcheck source=/dev/null
  . "$dir/secrets"
  # What a person has set for libpq or curl is for other servers.
  unset "${!PG@}" http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY
  export HOME=$dir
  # The beginning of a command that runs with the account. PostgreSQL and RabbitMQ refuse root, and the api does if
  # strangers can reach it.
  as_account=(env)
  ((EUID != 0)) || as_account=(setpriv --reuid="$account" --regid="$(id -g "$account")" --init-groups)
}

# private_directory DIRECTORY: makes a directory for the account alone.
private_directory() {
  [[ -d $1 ]] || mkdir -m 0700 "$1"
  ((EUID != 0)) || chown "$account:" "$1"
}

address_of() { printf '%s.%s' "$net" "$1"; }
name_of() { if (($1 == front)); then printf front; else printf 'machine%s' "$1"; fi; }

# The address by which this computer reaches the front.
public_address() { if [[ -n $namespaces ]]; then printf '%s.129' "$net"; else address_of "$front"; fi; }

# The addresses from which the machines call each other.
own_network() { if [[ -n $namespaces ]]; then printf '%s.0/25' "$net"; else printf '127.0.0.0/8'; fi; }

# joined SEPARATOR FORMAT: prints FORMAT for each machine, with its number for %N and its address for %A.
joined() {
  local n text out=''
  for n in "${machines[@]}"; do
    text=${2//%N/$n}
    out+=${out:+$1}${text//%A/$(address_of "$n")}
  done
  printf '%s' "$out"
}

# database_url ROLE PASSWORD [DATABASE]: names all machines; libpq takes the one that takes writes. If PASSWORD is
# empty, the URL has none.
database_url() {
  printf 'postgresql://%s@%s/%s?target_session_attrs=read-write&sslmode=verify-full&sslrootcert=%s' \
    "$1${2:+:$2}" "$(joined , "%A:$postgres_port")" "${3:-rides}" "$dir/client/ca.pem"
}

# within SECONDS COMMAND...: repeats the command until it succeeds.
within() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < until)) || return 1
    # A signal ends `wait` at once, but not `sleep`.
    sleep 0.3 & wait $!
  done
}

now_ms() { local now=${EPOCHREALTIME/./}; printf '%s' "$((now / 1000))"; }
