# shellcheck shell=bash
# How bin/cluster makes a cluster, and how it removes one.
# shellcheck disable=SC2034,SC2154

# become_root_if WORD: if there is a word, goes on as root, provided that there is sudo. Otherwise begin says what is
# missing.
become_root_if() {
  [[ -n $1 && $EUID != 0 ]] && command -v sudo >/dev/null || return 0
  exec sudo env ROCKET_BUILT=1 "BUILD_DIR=${BUILD_DIR:-}" "$root/bin/cluster" "${arguments[@]}"
}

begin() {
  local began=$SECONDS section n
  namespaces=''
  if [[ -z $loopback ]]; then
    if can_make_namespaces; then namespaces=1; else
      say "network namespaces cannot be made here; each machine is a loopback address, and cannot be cut off"
    fi
  fi
  account=$(id -un)
  ((EUID != 0)) || account=postgres
  caller=${SUDO_UID:-$EUID}
  section=$(etcd_section) || exit 1
  make_directory
  # Until the front has its addresses, another cluster could choose the same.
  exec 9<"$BASH"
  flock -w 60 9 || say "another cluster takes long to begin; going on without waiting for it"
  choose_addresses
  choose_ports
  write_everything "$section"
  read_settings
  "${as_account[@]}" test -r "$dir/1/patroni.yml" || die "$account cannot enter $dir; choose another with --dir"
  say "starting three machines and the front; data and logs are in $dir"
  machine_start "$front"
  exec 9>&-
  for n in "${machines[@]}"; do machine_start "$n"; done
  await 120 "etcd" etcd_ready 1
  await 180 "PostgreSQL, with one leader and two replicas" database_ready
  set_up_database
  for n in "${machines[@]}"; do await 180 "RabbitMQ on $(name_of "$n")" rabbitmq_listens "$n"; done
  await 180 "its members to find each other" rabbitmqctl_on 1 await_online_nodes 3 --timeout 15
  await 60 "the enqueuers' queue" create_queue
  make_client
  await 60 "the apis behind HAProxy" apis_ready
  say "everything runs, after $((SECONDS - began)) seconds"
}

fail() {
  keep=1
  die "$*; the logs are in $dir/*/log"
}

# await SECONDS WHAT COMMAND...
await() {
  local seconds=$1 what=$2
  shift 2
  say "waiting for $what"
  within "$seconds" "$@" || fail "$what: not there after $seconds seconds"
}

# Takes the directory, and clears away what a bin/cluster that was killed has left in it.
make_directory() {
  if [[ -e $dir || -L $dir ]]; then
    [[ ! -L $dir && -d $dir && -O $dir ]] || die "$dir belongs to somebody else; choose another with --dir"
    [[ -f $dir/lock || -z $(ls -A "$dir") ]] || die "$dir has other things in it; choose another with --dir"
  else
    mkdir -p -- "$(dirname -- "$dir")"
    mkdir -m 0711 -- "$dir"
  fi
  exec 8>>"$dir/lock"
  flock -n 8 || die "a cluster runs in $dir already; end that one, or choose another directory with --dir"
  [[ ! -f $dir/kept ]] || die "$dir was kept; remove it when you have looked at it: rm -r $dir"
  ours=1
  if [[ -f $dir/state ]]; then
    say "clearing away what an earlier cluster left in $dir"
    # A subshell, because that cluster had other settings.
    (
      read_settings 2>/dev/null
      end_machines
    ) || true
    find "$dir" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf -- {} +
  fi
}

remove_directory() { rm -rf -- "$dir"; }

write_everything() {
  local n name bin=$root/${BUILD_DIR:-build}/bin
  [[ ${BUILD_DIR:-} != /* ]] || bin=$BUILD_DIR/bin
  for name in "${secret_lines[@]}"; do printf -v "$name" '%s' "$(openssl rand -hex 16)"; done
  umask 022
  write_lines "$dir/state" "${state_lines[@]}"
  (umask 077; write_lines "$dir/secrets" "${secret_lines[@]}")
  mkdir -p "$dir/client" "$dir/bin"
  # The account may be unable to enter the checkout.
  for name in "${programs[@]}" simulator; do cp --reflink=auto -- "$bin/$name" "$dir/bin/"; done
  umask 077
  mkdir -p "$dir/ledger"
  for n in "${machines[@]}" "$front"; do mkdir -p "$dir/$n/log"; done
  make_certificates
  chmod 0644 "$dir/client/ca.pem"
  for n in "${machines[@]}"; do
    configure_patroni "$n" "$1"
    configure_rabbitmq "$n"
  done
  configure_haproxy
  umask 022
  ((EUID != 0)) || chown -R "$account:" "$dir/ledger" "$dir/"[1-4]
}
