# shellcheck shell=bash
# Functions that the scripts share. A script that sources this file can be started from any directory. The scripts use
# the variables that are set here.
# shellcheck disable=SC2034

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
private_postgres=$root/bin/support/private-postgres
# The full path, because Debian's wrapper looks for system clusters first.
psql=/usr/lib/postgresql/15/bin/psql

# in_env_file NAME: prints the value of NAME in .env as foreman reads it. The last line counts. Quotes are removed;
# between double quotes, \n is a new line and any other backslash is removed. Fails if .env has no such line.
in_env_file() {
  local line value='' found=''
  [[ -f $root/.env ]] || return 1
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line == "$1="* ]] || continue
    found=1
    value=${line#*=}
    value=${value%$'\r'}
    if [[ $value == \'*\' && ${#value} -ge 2 ]]; then
      value=${value:1:-1}
    elif [[ $value == \"*\" && ${#value} -ge 2 ]]; then
      value=${value:1:-1}
      value=$(printf '%s\n' "${value//\\n/$'\n'}" | sed 's/\\\(.\)/\1/g')
    fi
  done <"$root/.env"
  [[ -n $found ]] || return 1
  printf '%s\n' "$value"
}

# setting NAME: prints the value as foreman gives it to the processes: .env comes first, then the environment.
setting() { in_env_file "$1" || printf '%s\n' "${!1:-}"; }

# is_private URL: succeeds if bin/setup wrote it, for the private PostgreSQL of this or of a copied checkout.
is_private() {
  [[ $1 =~ ^postgresql://postgres@%2Ftmp%2Frocket-rides-[0-9]+-[0-9a-f]{16}:5432/rocket_rides$ ]]
}

# url_of_role URL PROCESS: prints the URL of a private PostgreSQL with the role of this process, such as api.
url_of_role() { printf '%s\n' "${1/#postgresql:\/\/postgres@/postgresql:\/\/rocket_$2@}"; }

# given_database: prints the DATABASE_URL that a person wrote into .env, else that of the environment, else nothing.
given_database() {
  local url
  url=$(in_env_file DATABASE_URL) || url=''
  [[ -n $url ]] && ! is_private "$url" || url=${DATABASE_URL:-}
  printf '%s\n' "$url"
}

# expect_no_own_urls: ends the script if a person gave one of the processes a URL of its own, but no DATABASE_URL. The
# others would work in the private PostgreSQL, which is another database.
expect_no_own_urls() {
  local process variable
  for process in api completer enqueuer reaper simulator; do
    variable=${process^^}_DATABASE_URL
    [[ -z $(setting "$variable") ]] ||
      die "$variable is set, but DATABASE_URL is not; set it to the same database, with the role that owns its tables"
  done
}

# run_psql URL OPTION...: runs psql on that database. A password in the URL is passed in the environment, because
# command lines are visible to everybody.
run_psql() {
  local url=$1 password='' escapes="'([^'\\\\]|\\\\.)*'|([^[:space:]\\\\]|\\\\.)*"
  shift
  if [[ $url =~ ^(postgres(ql)?://[^:/?#@]*):([^/?#@]*)@(.*)$ ]]; then
    url=${BASH_REMATCH[1]}@${BASH_REMATCH[4]}
    password=$(percent_decoded "${BASH_REMATCH[3]}")
  fi
  if [[ $url =~ ^(postgres(ql)?://.*[?\&])password=([^\&]*)(\&(.*))?$ ]]; then
    url=${BASH_REMATCH[1]}${BASH_REMATCH[5]}
    url=${url%[?&]}
    password=$(percent_decoded "${BASH_REMATCH[3]}")
  elif [[ $url != postgres*://* && $url =~ ^(.*[[:space:]])?password[[:space:]]*=[[:space:]]*($escapes)(.*)$ ]]; then
    url="${BASH_REMATCH[1]} ${BASH_REMATCH[5]}"
    password=${BASH_REMATCH[2]}
    [[ $password != \'* ]] || password=${password:1:-1}
    password=$(printf '%s\n' "$password" | sed 's/\\\(.\)/\1/g')
  fi
  PGPASSWORD=${password:-${PGPASSWORD:-}} "$psql" -X -q -v ON_ERROR_STOP=1 -d "$url" "$@"
}

percent_decoded() {
  local text=${1//\\/\\\\}
  printf '%b' "${text//%/\\x}"
}

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

as_root() {
  if ((EUID == 0)); then "$@"; return; fi
  command -v sudo >/dev/null || die "needs root for: $* (there is no sudo)"
  sudo "$@"
}

# packages SET...: prints the names that packages.txt lists for these sets.
packages() {
  local set
  for set in "$@"; do awk -v set="$set" '$1 == set { print $2 }' "$root/bin/support/packages.txt"; done
}

is_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# missing_packages SET...: prints the packages of these sets that are not installed.
missing_packages() {
  local installed
  # dpkg-query fails if it does not know a package. Here this is an answer, not an error.
  # shellcheck disable=SC2046
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $(packages "$@") 2>/dev/null |
    sed -n 's/^installed //p') || true
  packages "$@" | grep -vxF -e "$installed" || true
}

apt_get() {
  # Waits for another apt instead of failing, and asks no questions.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 \
    -o Dpkg::Use-Pty=0 "$@" </dev/null >&2
}

# install_packages SET...: installs what is missing; does nothing, not even sudo, when nothing is.
install_packages() (
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null || die "this needs Debian 12; install by hand: ${missing[*]}"
  say "installing ${missing[*]}"
  apt_get update || say "apt-get update failed; trying with the package lists at hand"
  # Without this, Debian's packages would create and start servers on the usual ports, which nobody asked for.
  trap remove_restraints EXIT
  if [[ " ${missing[*]} " == *" postgresql-15 "* ]]; then
    as_root mkdir -p "${no_cluster%/*}"
    echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
  fi
  local unwanted=() servers=() name
  for name in etcd-server haproxy nginx patroni pgbouncer prometheus redis-server rabbitmq-server; do
    [[ " ${missing[*]} " != *" $name "* ]] || servers+=("$name")
  done
  if [[ " ${servers[*]} " == *" rabbitmq-server "* ]]; then
    # RabbitMQ needs Erlang, which would start its port mapper.
    is_installed erlang-base || unwanted+=(epmd.socket epmd.service)
  fi
  if ((${#servers[@]})) && [[ ! -e $no_start ]]; then
    printf '#!/bin/sh\n%s\nexit 101\n' "$restraint" | as_root tee "$no_start" >/dev/null
    as_root chmod 0755 "$no_start"
  fi
  apt_get install --no-install-recommends "${missing[@]}"
  # The servers must not start at the next boot either.
  for name in "${servers[@]}"; do
    # The service of etcd-server is called etcd.
    as_root update-rc.d "${name/#etcd-server/etcd}" disable >&2
  done
  if ((${#unwanted[@]})) && command -v systemctl >/dev/null; then
    as_root systemctl --quiet disable "${unwanted[@]}" >&2
  fi
)

no_cluster=/etc/postgresql-common/createcluster.d/rocket-rides.conf
# Debian runs this file before a package starts a service. A file of a container or an administrator stays as it is.
no_start=/usr/sbin/policy-rc.d
restraint='# Rocket Rides, while it installs packages.'
remove_restraints() {
  if [[ -f $no_cluster ]]; then
    as_root rm -f "$no_cluster"
    as_root rmdir --ignore-fail-on-non-empty "${no_cluster%/*}" || true
  fi
  ! grep -qxF "$restraint" "$no_start" 2>/dev/null || as_root rm -f "$no_start"
}

# only_one NAME SENTENCE: takes a lock of this checkout, which the script holds until it ends. If another script has the
# lock, says the sentence and waits; without a sentence, fails. A process that outlives the script must be started with
# 8>&-.
only_one() {
  mkdir -p "$root/.local"
  exec 8>"$root/.local/$1.lock"
  flock -n 8 && return
  (($# > 1)) || return 1
  say "$2"
  flock 8
}

# blame_full_disk DIRECTORY...: says which of them have little room left, if any.
blame_full_disk() {
  local directory left
  for directory in "$@"; do
    left=$(df --output=avail -m -- "$directory" 2>/dev/null | tail -n 1) || continue
    ((left >= 256)) || say "the disk of $directory has only $((left)) MB left, which may be why; make room and start again"
  done
}

# supervise GRACE COMMAND...: runs the command in a session of its own, so that a terminal's Ctrl-C reaches this script
# only. Passes INT, TERM and HUP on as one TERM. Leaves no process behind: kills what is left GRACE seconds after the
# command ended. Sets `signalled` to the signal that ended it, if one did; returns the command's status.
signalled=''
child=''
supervise() {
  local grace=$1 status=0
  shift
  # If this script itself is killed, the kernel tells the command to stop.
  setsid setpriv --pdeathsig TERM "$@" &
  child=$!
  # A signal may have come while the command was being started.
  [[ -z $signalled ]] || kill -TERM "$child" 2>/dev/null || true
  while kill -0 "$child" 2>/dev/null; do wait "$child" && status=0 || status=$?; done
  end_session "$child" "$grace"
  child=''
  return "$status"
}

# catch_signals: must be called before the first thing that has to be undone.
catch_signals() {
  local signal
  for signal in INT TERM HUP; do
    # shellcheck disable=SC2064
    trap "signalled=$signal; [[ -z \$child ]] || kill -TERM \"\$child\" 2>/dev/null || true" "$signal"
  done
}

# end_session SID SECONDS: ends what is left of a session, with TERM, and after so many seconds with KILL.
end_session() {
  local pids i
  for ((i = 0; i <= $2 * 10; i++)); do
    # Zombies do not count, because they only wait for init.
    pids=$(ps -o pid=,stat= --sid "$1" | awk '$2 !~ /^Z/ { print $1 }') || true
    [[ -n $pids ]] || return 0
    # shellcheck disable=SC2086
    ((i)) || kill -TERM $pids 2>/dev/null || true
    sleep 0.1
  done
  # shellcheck disable=SC2086
  kill -KILL $pids 2>/dev/null || true
}
