# shellcheck shell=bash
# RabbitMQ on three machines. The enqueuers' queue is a quorum queue: a job is confirmed once two machines have it.
# shellcheck disable=SC2154

# RabbitMQ 3.10 takes these settings for read and write for each other, so both permit the same.
configure_rabbitmq() {
  local n=$1 address
  address=$(address_of "$n")
  cat >"$dir/$n/rabbitmq.conf" <<END
listeners.tcp = none
listeners.ssl.1 = $address:$amqps_port
ssl_options.cacertfile = $dir/client/ca.pem
ssl_options.certfile = $dir/$n/certificate.pem
ssl_options.keyfile = $dir/$n/key.pem
ssl_options.verify = verify_none
default_user = rides
default_pass = $rabbitmq_password
default_permissions.configure = ^default$
default_permissions.write = ^(amq.)?default$
default_permissions.read = ^(amq.)?default$
cluster_formation.peer_discovery_backend = classic_config
$(joined $'\n' "cluster_formation.classic_config.nodes.%N = rabbit%N@%A")
cluster_partition_handling = pause_minority
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 400MB
log.file = false
log.console = true
log.console.level = warning
END
  mkdir -p "$dir/$n/rabbitmq"
  printf %s "$erlang_cookie" >"$dir/$n/rabbitmq/.erlang.cookie"
}

# The variables that RabbitMQ and its tools read.
rabbitmq_variables() {
  local address
  address=$(address_of "$1")
  export HOME=$dir/$1/rabbitmq
  export RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_CONFIG_FILE=$dir/$1/rabbitmq.conf RABBITMQ_USE_LONGNAME=true \
    RABBITMQ_NODENAME=rabbit$1@$address RABBITMQ_DIST_PORT=$((erlang_port + $1)) ERL_EPMD_PORT=$epmd_port \
    RABBITMQ_MNESIA_BASE=$HOME/data RABBITMQ_LOG_BASE=$HOME/log RABBITMQ_ENABLED_PLUGINS_FILE=$HOME/plugins \
    RABBITMQ_ALLOW_INPUT=1
}

run_rabbitmq() {
  local folder
  rabbitmq_variables "$n"
  for folder in rabbitmq rabbitmq/data rabbitmq/log; do private_directory "$folder"; done
  cd rabbitmq || exit
  # One scheduler thread, which does not spin: three of these share this computer with all else.
  exec "${as_account[@]}" /usr/lib/rabbitmq/bin/rabbitmq-server -noinput \
    -kernel inet_dist_use_interface "{${address//./,}}" -kernel net_ticktime 12 \
    +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none
}

# Erlang's port mapper. RabbitMQ starts one by itself on a machine of its own. Loopback addresses share one.
run_epmd() {
  local n addresses=''
  for n in "${machines[@]}"; do addresses+=${addresses:+,}$(address_of "$n"); done
  exec "${as_account[@]}" env "ERL_EPMD_PORT=$epmd_port" "ERL_EPMD_ADDRESS=$addresses" epmd
}

# rabbitmqctl_on N ARGUMENT...
rabbitmqctl_on() (
  n=$1
  shift
  rabbitmq_variables "$n"
  at "$n" timeout 30 "${as_account[@]}" env -C "$HOME" /usr/lib/rabbitmq/bin/rabbitmqctl "$@"
)

rabbitmq_listens() { at "$1" bash -c "exec 3<>/dev/tcp/$(address_of "$1")/$amqps_port" 2>/dev/null; }
