# shellcheck shell=bash
# Machines, and what can happen to them. A machine is a set of processes with an address of their own. Its first process
# is bin/support/cluster/machine, which starts the others. With namespaces, each machine has its own network, process
# numbers and host name, and the end of its first process ends all. Without them, a machine is the processes that work
# in its directory.
# shellcheck disable=SC2154

# can_make_namespaces: succeeds if this computer lets us make namespaces, a bridge, and cables to it.
can_make_namespaces() {
  ((EUID == 0)) && unshare --net --pid --uts --mount-proc --fork true 2>/dev/null &&
    unshare --net sh -c 'ip link add name b type bridge && ip link add name v type veth peer name w' 2>/dev/null
}

# choose_addresses: sets net and link. Two clusters have different ones, because both follow from the directory.
choose_addresses() {
  local hash i x first=127
  hash=$(printf %s "$dir" | sha256sum)
  link=rr-${hash:0:8}
  # 198.18.0.0/15 is for tests, and no other network should have it.
  [[ -z $namespaces ]] || first=198
  for ((i = 0; i < 512; i++)); do
    x=$(((16#${hash:8:6} + i) % 512))
    net=$first.$((18 + x / 256)).$((x % 256))
    ! { ip -4 address; ip -4 route show table all; ss -Hltn; } | grep -qF " $net." || continue
    return 0
  done
  die "no addresses are free in $first.18.0.0/15"
}

# choose_ports: sets all ports to the usual ones. Without namespaces, other programs may have them already.
choose_ports() {
  local wanted taken=''
  [[ -n $namespaces ]] || taken=$(ss -Hltn | awk '{ sub(/.*:/, "", $4); print $4 }')
  for wanted in etcd:2379 etcd_peer:2380 postgres:5432 patroni:8008 amqps:5671 erlang:25672 epmd:4369 api:5000 \
    clients:8443 leader:5432 plain:8080 stats:8404; do
    local port=${wanted#*:}
    while grep -qx "$port" <<<"$taken"; do port=$(((port + 1777) % 31000 + 1024)); done
    printf -v "${wanted%:*}_port" '%s' "$port"
  done
}

# started PID: prints when this process started, because a number may belong to another process later.
started() { awk '{ sub(/.*\) /, ""); print $20 }' "/proc/$1/stat" 2>/dev/null; }

# first_process N: sets $outer, our child, and $inner, the machine's first process. They are the same without
# namespaces. Fails if the machine is off.
first_process() {
  local when
  outer='' inner=''
  read -r outer when inner 2>/dev/null <"$dir/$1/first" || return 1
  [[ -n $inner && $(started "$outer") == "$when" && -e /proc/$inner ]]
}

is_on() { local outer inner; first_process "$1"; }

# at N COMMAND...: runs a command with the network of machine N, but not as one of its processes.
at() {
  local outer inner n=$1
  shift
  [[ -n $namespaces ]] || { "$@"; return "$?"; }
  first_process "$n" || return 1
  nsenter --net="/proc/$inner/ns/net" -- "$@"
}

# pids_of N: prints the machine's processes.
pids_of() {
  local outer inner
  if [[ -n $namespaces ]]; then
    ! first_process "$1" || pgrep --ns "$inner" --nslist pid . || true
    # Without the 0, it would return the script's status while finish runs.
    return 0
  fi
  # Processes may end meanwhile.
  find /proc -mindepth 2 -maxdepth 2 -path '/proc/[0-9]*/cwd' \( -lname "$dir/$1" -o -lname "$dir/$1/*" \) \
    -printf '%h\n' 2>/dev/null | sed 's|/proc/||' || true
}

machine_start() {
  local n=$1 i outer inner
  ! is_on "$n" || return 0
  rm -f "$dir/$n/first" "$dir/$n/connected"
  local command=("$root/bin/support/cluster/machine" "$dir" "$n")
  [[ -z $namespaces ]] ||
    command=(unshare --net --pid --uts --ipc --mount-proc --fork --kill-child "${command[@]}")
  # A session of its own keeps Ctrl-C away. The machine must not inherit the lock, whose end is its end. Nor must it
  # inherit variables, because many of these programs read some.
  env -C "$dir/$n" -i "PATH=$PATH" LANG=C.UTF-8 setsid "${command[@]}" 8>&- 9>&- </dev/null \
    >>"$dir/$n/log/machine.log" 2>&1 &
  outer=$!
  # Without this, bash would tell about its end.
  disown "$outer"
  for ((i = 0; i < 200; i++)); do
    inner=$outer
    [[ -z $namespaces ]] || inner=$(pgrep -P "$outer" || true)
    [[ -z $inner ]] || break
    kill -0 "$outer" 2>/dev/null || die "$(name_of "$n") did not start; see $dir/$n/log/machine.log"
    sleep 0.05
  done
  printf '%s %s %s\n' "$outer" "$(started "$outer")" "$inner" >"$dir/$n/first"
  [[ -z $namespaces ]] || connect "$n" "$inner"
  touch "$dir/$n/connected"
}

# connect N PID: gives the machine its address, and a cable to the bridge of the front. This computer reaches the front,
# but not the machines behind it, because the front forwards nothing.
connect() {
  local n=$1 pid=$2
  at "$n" ip link set lo up
  if ((n == front)); then
    ip link add name "$link" type veth peer name outside netns "$pid"
    # All of the network, so that nothing for the machines goes out to whoever else routes these addresses.
    ip address add "$net.130/24" dev "$link"
    ip link set "$link" up
    at "$n" sh -ec "ip address add $net.129/30 dev outside; ip link set outside up
      ip link add name bridge type bridge forward_delay 0; ip address add $(address_of "$n")/25 dev bridge
      ip link set bridge up; echo 0 >/proc/sys/net/ipv4/ip_forward"
  else
    # The cable of a machine that was killed may not have gone yet.
    at "$front" sh -ec "ip link delete m$n 2>/dev/null || true
      ip link add name m$n type veth peer name cable netns $pid; ip link set m$n master bridge up"
    at "$n" sh -ec "ip address add $(address_of "$n")/25 dev cable; ip link set cable up"
  fi
}

# machine_kill N: pulls the plug. What was not on disk in any process is gone.
machine_kill() {
  local outer inner i pids
  # Without namespaces, the first process is one of pids_of, or it is the one that calls this.
  [[ -z $namespaces ]] || ! first_process "$1" || kill -KILL "$outer" 2>/dev/null || true
  for ((i = 0; i < 100; i++)); do
    pids=$(pids_of "$1")
    [[ -n $pids ]] || break
    # shellcheck disable=SC2086
    [[ -n $namespaces ]] || kill -KILL $pids 2>/dev/null || true
    sleep 0.1
  done
  rm -f "$dir/$1/first"
}

# signal_all N SIGNAL: sends the signal to all processes of the machine except the first and its flock, which must
# notice the end of the cluster.
signal_all() {
  local outer inner pid name
  first_process "$1" || die "$(name_of "$1") is off"
  for pid in $(pids_of "$1"); do
    read -r name <"/proc/$pid/comm" 2>/dev/null || continue
    [[ $pid == "$inner" || $name == flock ]] || kill "-$2" "$pid" 2>/dev/null || true
  done
}

# machine_pause N: what a virtual machine does while it is suspended. Again, for processes that were just being made.
machine_pause() { signal_all "$1" STOP; signal_all "$1" STOP; }
machine_wake() { signal_all "$1" CONT; }

# machine_cut N, machine_join N: the cable between the machine and all others.
machine_cut() { needs_namespaces; at "$front" ip link set "m$1" down; }
machine_join() { needs_namespaces; at "$front" ip link set "m$1" up; }
needs_namespaces() { [[ -n $namespaces ]] || die "without network namespaces, machines cannot be cut off"; }

# end_machines: ends everything that belongs to the cluster in $dir, also what a killed bin/cluster left there.
end_machines() {
  local n outer inner
  # All at once, because each takes its time to go.
  for n in "${machines[@]}" "$front"; do ! first_process "$n" || kill -KILL "$outer" 2>/dev/null || true; done
  for n in "${machines[@]}" "$front"; do machine_kill "$n"; done
  [[ -z ${link:-} ]] || ! ip link show "$link" >/dev/null 2>&1 || ip link delete "$link" 2>/dev/null || true
}
