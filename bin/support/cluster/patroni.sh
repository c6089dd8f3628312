# shellcheck shell=bash
# Patroni, which makes one PostgreSQL the leader and the others its replicas. Why each setting is as it is stands in
# docs/cluster.md.
# shellcheck disable=SC2154

pgbin=/usr/lib/postgresql/15/bin
# With etcd's v3 API, Patroni 3.0.2 overwrites the key of a new leader when it wakes up as an old one
# (https://github.com/patroni/patroni/pull/2689, merged in May 2023). Patroni 3.1.0 has that change, and also keeps a
# stale primary from winning the election.
first_with_v3=3.1.0

# etcd_section: prints the name of Patroni's section for the API of etcd that it may use. Refuses the faulty pair.
etcd_section() {
  local version
  etcd_has_v2 && { printf etcd; return 0; }
  version=$(patroni --version | awk '{ print $2 }')
  is_at_least "$version" "$first_with_v3" || die "Patroni $version with the v3 API of etcd can lose what was" \
    "acknowledged when a suspended leader wakes up, and this etcd has no v2 API; take etcd 3.4 or 3.5, or Patroni" \
    "$first_with_v3 or newer"
  printf etcd3
}

is_at_least() { [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]; }

# configure_patroni N SECTION
configure_patroni() {
  local address tls="sslmode: verify-full, sslrootcert: $dir/client/ca.pem"
  address=$(address_of "$1")
  cat >"$dir/$1/patroni.yml" <<END
scope: rides
name: $(name_of "$1")
restapi:
  listen: $address:$patroni_port
  connect_address: $address:$patroni_port
  authentication: {username: patroni, password: $patroni_password}
$2:
  hosts: [$(joined ', ' "'%A:$etcd_port'")]
bootstrap:
  dcs:
    ttl: 10
    loop_wait: 2
    retry_timeout: 4
    primary_start_timeout: 0
    maximum_lag_on_failover: 1048576
    synchronous_mode: true
    synchronous_mode_strict: true
    postgresql:
      use_pg_rewind: true
      parameters:
        max_connections: 100
        synchronous_commit: 'on'
        wal_log_hints: 'on'
        wal_keep_size: 256MB
        wal_sender_timeout: 5s
        wal_receiver_timeout: 5s
        wal_retrieve_retry_interval: 500ms
        tcp_keepalives_idle: 5
        tcp_keepalives_interval: 1
        tcp_keepalives_count: 5
        tcp_user_timeout: 5000
  initdb: [{encoding: UTF8}, {locale: C.UTF-8}, data-checksums]
postgresql:
  listen: $address:$postgres_port
  connect_address: $address:$postgres_port
  data_dir: $dir/$1/postgres/data
  bin_dir: $pgbin
  pgpass: $dir/$1/postgres/pgpass
  basebackup: [{checkpoint: fast}]
  authentication:
    superuser: {username: postgres, password: $superuser_password, $tls}
    replication: {username: replica, password: $replication_password, $tls}
  parameters:
    unix_socket_directories: $dir/$1/postgres
    shared_buffers: 64MB
    password_encryption: scram-sha-256
    ssl: 'on'
    ssl_cert_file: $dir/$1/certificate.pem
    ssl_key_file: $dir/$1/key.pem
  pg_hba:
    - local all all scram-sha-256
    - hostssl replication replica $(own_network) scram-sha-256
    - hostssl all all $(own_network) scram-sha-256
watchdog: {mode: 'off'}
END
}

run_patroni() {
  private_directory postgres
  cd postgres || exit
  exec "${as_account[@]}" patroni ../patroni.yml
}

# role_of N: prints what Patroni says of its PostgreSQL, such as primary, replica or nothing.
role_of() {
  local role
  role=$(at "$front" curl -s -m 2 "http://$(address_of "$1"):$patroni_port/patroni" 2>/dev/null |
    sed -n 's/.*"role": *"\([a-z_]*\)".*/\1/p') || true
  # Before version 4, Patroni calls it master.
  printf '%s' "${role/#master/primary}"
}

# is_leader N: as HAProxy asks.
is_leader() { at "$front" curl -sf -m 2 -o /dev/null "http://$(address_of "$1"):$patroni_port/primary"; }

# leader: prints the number of the leader, or fails.
leader() {
  local n
  for n in "${machines[@]}"; do
    if is_leader "$n"; then printf '%s' "$n"; return 0; fi
  done
  return 1
}

# patronictl_on N ARGUMENT...
patronictl_on() {
  local n=$1
  shift
  at "$n" env LC_ALL=C.UTF-8 patronictl -c "$dir/$n/patroni.yml" "$@"
}

# sql ARGUMENT...: runs psql as the superuser at the leader.
sql() {
  PGPASSWORD=$superuser_password at "$front" timeout "${sql_timeout_s:-20}" "$psql" -X -q -A -t -v ON_ERROR_STOP=1 \
    -d "$(database_url postgres "" "${sql_database:-rides}")&connect_timeout=2" "$@"
}

# All three run, one of the replicas has every commit, and Patroni has noted which, so that it may lead.
database_ready() {
  local n noted=''
  for n in "${machines[@]}"; do
    ! at "$front" curl -sf -m 2 -o /dev/null "http://$(address_of "$n"):$patroni_port/sync" || noted=1
  done
  [[ -n $noted ]] || return 1
  [[ $(sql_database=postgres sql -c "SELECT count(*), count(*) FILTER (WHERE sync_state = 'sync')
                                       FROM pg_stat_replication WHERE state = 'streaming'") == '2|1' ]]
}

# Makes the database, its owner, tables, roles and users, as bin/setup does.
set_up_database() {
  # Not as an argument, which others could see.
  sql_database=postgres sql <<END
CREATE ROLE rocket LOGIN CREATEROLE PASSWORD '$owner_password';
CREATE DATABASE rides OWNER rocket ENCODING UTF8;
END
  # libpq stops at a replica that does not have the new database yet.
  within 30 sql -c 'SELECT 1' || fail "the database is not on all machines"
  sql_timeout_s=60 PGOPTIONS="-c client_min_messages=warning -c role=rocket -c rocket.password=$roles_password" \
    sql -f "$root/schema.sql" -f "$root/bin/support/roles.sql" >/dev/null
}
