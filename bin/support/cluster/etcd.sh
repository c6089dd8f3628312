# shellcheck shell=bash
# etcd, where Patroni keeps who leads. Two of the three members are enough.
# shellcheck disable=SC2154

run_etcd() {
  local options=()
  # Later versions have no v2 API, and know no option for it.
  ! etcd_has_v2 || options+=(--enable-v2=true)
  private_directory etcd
  cd etcd || exit
  exec "${as_account[@]}" etcd "${options[@]}" --name "$(name_of "$n")" --data-dir "$PWD" \
    --listen-client-urls "http://$address:$etcd_port" --advertise-client-urls "http://$address:$etcd_port" \
    --listen-peer-urls "http://$address:$etcd_peer_port" \
    --initial-advertise-peer-urls "http://$address:$etcd_peer_port" \
    --initial-cluster "$(joined , "machine%N=http://%A:$etcd_peer_port")" --initial-cluster-state new \
    --initial-cluster-token "$net" --logger zap --log-level warn
}

etcd_has_v2() { etcd --help 2>&1 | grep -e --enable-v2 >/dev/null; }

etcd_ready() { at "$1" curl -sf -m 3 "http://$(address_of "$1"):$etcd_port/health" | grep -q '"health":"true"'; }
