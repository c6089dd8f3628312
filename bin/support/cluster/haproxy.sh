# shellcheck shell=bash
# HAProxy on the front: one name with TLS for clients, and one port for whatever PostgreSQL leads.
# shellcheck disable=SC2154

configure_haproxy() {
  local address
  address=$(address_of "$front")
  cat >"$dir/$front/haproxy.cfg" <<END
global
  maxconn 4000
  log stdout format raw daemon notice

defaults
  mode http
  log global
  retries 2
  option redispatch
  timeout connect 1s
  timeout client 50s
  timeout server 15s

frontend clients
  bind $(public_address):$clients_port ssl crt $dir/$front/both.pem alpn h2,http/1.1
  # For the simulator, which trusts only public authorities: without TLS, and on this machine only.
  bind $(plain_address):$plain_port
  # Without this option, clients of HTTP/2 do not see a 503; see docs/proxies/haproxy.cfg.
  option http-buffer-request
  default_backend apis

# A connection that a machine takes with it when it goes is ended, so that its client can go elsewhere.
backend apis
  balance roundrobin
  option httpchk GET /readyz
  default-server send-proxy-v2 check inter 1s fall 2 rise 1 on-marked-down shutdown-sessions source $address
$(joined $'\n' "  server machine%N %A:$api_port")

listen leader
  mode tcp
  bind $(public_address):$leader_port
  timeout client 1h
  timeout server 1h
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server check port $patroni_port inter 1s fall 2 rise 1 on-marked-down shutdown-sessions source $address
$(joined $'\n' "  server machine%N %A:$postgres_port")

frontend statistics
  bind $(public_address):$stats_port
  stats enable
  stats uri /
  stats refresh 2s
END
}

# Nobody but the front itself should reach it without TLS.
plain_address() { if [[ -n $namespaces ]]; then printf 127.0.0.1; else address_of "$front"; fi; }

run_haproxy() { exec "${as_account[@]}" haproxy -db -f haproxy.cfg; }

statistics() { curl -sf -m 3 "http://$(public_address):$stats_port/;csv"; }

# apis_ready: succeeds if HAProxy finds that all apis are ready.
apis_ready() { (($(statistics | grep -c '^apis,machine.*,UP,') == ${#machines[@]})); }
