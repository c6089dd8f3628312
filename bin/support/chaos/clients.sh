# shellcheck shell=bash
# The faults that clients make, one function fault_KIND for each, as in faults.sh.
# shellcheck disable=SC2154

ride='origin_lat=1.5&origin_lon=2.5&target_lat=3.5&target_lon=4.5'
form=application/x-www-form-urlencoded

# ride_request KEY [FIELD...]: prints a request for a ride, with these header fields too.
ride_request() {
  printf 'POST /rides HTTP/1.1\r\nHost: localhost\r\nAuthorization: user@example.com\r\nIdempotency-Key: %s\r\n' "$1"
  printf 'Content-Type: %s\r\nContent-Length: %d\r\n' "$form" "${#ride}"
  (($# == 1)) || printf '%s\r\n' "${@:2}"
  printf '\r\n%s' "$ride"
}

# The statuses that a good ride may get when its user, or all users together, send many requests.
served='201|429|503'

# clients_see LABEL EXPECTED COMMAND...: runs the command, which is a client that prints the status of each answer, one
# a line. Counts the statuses. Each of them must match EXPECTED.
clients_see() {
  local label=$1 expected=$2 counts each count status
  shift 2
  # Drops messages of curl and bash about broken connections, which also show as a missing status.
  mapfile -t counts < <("$@" 2>/dev/null | sort | uniq -c)
  ((${#counts[@]})) || counts=('1 no answer')
  for each in "${counts[@]}"; do
    read -r count status <<<"$each"
    [[ $status =~ ^($expected)$ ]] || wrong "$label was answered with $status"
    printf '%s\t%s to %s\t%s\n' "$kind" "$status" "$label" "$count" >>"$work/seen.misfits"
  done
}

# Opens $socket to the target. The target may close it at any time, and SIGPIPE must not end this script then.
connect() {
  trap '' PIPE
  exec {socket}<>"/dev/tcp/127.0.0.1/${port[$target]}"
}

# read_answer: sets $status and $request_id from the next answer on $socket. Fails if there is none.
read_answer() {
  local line length=0
  status='' request_id=''
  read -r -t 8 _ status _ || return
  while read -r -t 8 line && [[ $line != $'\r' ]]; do
    line=${line%$'\r'}
    case ${line,,} in
      content-length:*) length=${line#*: } ;;
      x-request-id:*) request_id=${line#*: } ;;
    esac
  done
  read -r -t 8 -N "$length" _
} <&"$socket"

# Closing a socket resets the connection if data is unread or still arrives.
fault_resets() (
  for ((i = 0; i < 60; i++)); do
    connect || continue
    ride_request "chaos-reset-$number-$i-0123456789" >&"$socket" || true
    ((i % 3)) || sleep 0.02
    exec {socket}>&-
  done 2>/dev/null
)

fault_idle() (
  for ((i = 0; i < 150; i++)); do
    connect || continue
    ((i % 2)) || { ride_request "chaos-idle-$number-$i-0123456789" | head -c $((i + 20)) >&"$socket"; } || true
  done 2>/dev/null
  pause_ms "$hold"
)

fault_garbage() { clients_see garbage '4..' send_garbage; }
send_garbage() {
  local i status socket
  for ((i = 0; i < 20; i++)); do
    connect
    # Sends other bytes for each seed, and for each fault.
    LC_ALL=C awk -v seed=$((seed + draw * 20 + i)) 'BEGIN {
      srand(seed); for (i = 0; i < 400; i++) printf "%c", 1 + int(rand() * 255); printf "\r\n\r\n" }' >&"$socket"
    status=''
    read -r -t 3 _ status _ <&"$socket" || true
    exec {socket}>&-
    printf '%s\n' "${status:-no answer}"
  done
}

fault_oversize() {
  local url=http://127.0.0.1:${port[$target]} long
  local ask=(curl -s -m 5 -o /dev/null -w '%{http_code}\n' -H 'Authorization: user@example.com' -H 'Expect:')
  long=$(printf '%090000d' 0)
  clients_see 'a body of 8 MB' '4..' send_large_body
  clients_see 'a header of 90 kB' '4..' "${ask[@]}" -H "Idempotency-Key: $long" -d "$ride" "$url/rides"
  clients_see 'a path of 90 kB' '4..' "${ask[@]}" -d "$ride" "$url/$long"
}
send_large_body() {
  head -c 8000000 /dev/zero | "${ask[@]}" -H "Idempotency-Key: ${long:0:40}" --data-binary @- "$url/rides"
}

# These requests are odd but correct. Each must be served, and must get its own answer.
fault_odd() {
  clients_see 'bytes one at a time' "$served" send_bytes
  clients_see 'a half-closed connection' "$served" send_and_close_half
  clients_see 'pipelined requests' "$served" send_pipelined
}
send_bytes() {
  local request i never socket status request_id
  request=$(ride_request "chaos-bytes-$number-0123456789")
  # A read from a pipe that stays empty is a pause that needs no process.
  exec {never}<> <(:)
  connect
  for ((i = 0; i < ${#request}; i++)); do
    printf '%s' "${request:i:1}" >&"$socket"
    read -r -t 0.003 -u "$never" || true
  done
  read_answer && printf '%s\n' "$status"
}
# Uses perl, because bash cannot close one half of a socket.
send_and_close_half() {
  local i
  for ((i = 0; i < 5; i++)); do
    ride_request "chaos-half-closed-$number-$i-0123456789" | perl -MIO::Socket::INET -e '
      alarm 8;
      my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => shift) or die;
      local $/;
      print $socket scalar(<STDIN>);
      shutdown $socket, 1;
      my $answer = <$socket>;
      $answer =~ m{^HTTP/1\.1 (\d+) } or die;
      print "$1\n"' "${port[$target]}" || printf 'no answer\n'
  done
}
send_pipelined() {
  local i requests='' socket status request_id
  for i in {0..9}; do
    requests+=$(ride_request "chaos-pipelined-$number-$i-0123456789" "X-Request-Id: pipelined-$i")
  done
  connect
  printf '%s' "$requests" >&"$socket"
  for i in {0..9}; do
    if ! read_answer; then
      status='no answer'
    elif [[ $request_id != "pipelined-$i" ]]; then
      status+=', for another request'
    fi
    printf '%s\n' "$status"
  done
}

# These headers can be understood in two ways, which differ in where the body ends. Behind the body is a request for a
# ride, which must never be served.
ambiguities=(
  'Content-Length: 0\r\nContent-Length: 5'
  'Content-Length: 5, 5'
  'Content-Length: +5'
  'Content-Length : 5'
  'Content-Length: 0\nContent-Length: 5'
  'Content-Length: 0\r\n 5'
  'Content-Length: 5\r\nTransfer-Encoding: chunked'
  'Transfer-Encoding: xchunked\r\nContent-Length: 5'
)
fault_ambiguous() {
  clients_see 'an ambiguous length' '4..' send_ambiguous
  clients_see 'a thousand headers' '4..' send_headers
  (($(sql -c "SELECT count(*) FROM idempotency_keys WHERE idempotency_key LIKE 'chaos-smuggled-%'") == 0)) ||
    wrong "a smuggled request was served"
}
send_ambiguous() {
  local each
  for each in "${ambiguities[@]}"; do
    send_to_the_end "$(printf 'POST /rides HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n0\r\n\r\n' "$each"
      ride_request "chaos-smuggled-$number-0123456789")"
  done
}
send_headers() {
  local fields
  mapfile -t fields < <(seq -f 'X-%g: y' 1000)
  send_to_the_end "$(ride_request "chaos-smuggled-$number-0123456789" "${fields[@]}")"
}
# send_to_the_end BYTES: prints the statuses of all answers until the connection ends. It must end after the first
# answer.
send_to_the_end() {
  local statuses=() socket status request_id
  connect
  printf '%s' "$1" >&"$socket"
  while read_answer; do statuses+=("$status"); done
  # If the connection has ended, this read ends at once. After a timeout, its status is more than 128.
  read -r -t 0.1 _ <&"$socket" || (($? <= 128)) || statuses+=('and no end')
  printf '%s\n' "${statuses[*]:-no answer}"
}

# Sends the same request 40 times at once, and then once more until there is an answer. All answers must be the same.
fault_duplicates() {
  local i urls=() bodies
  local ask=(curl -s -m 5 -d "$ride" -H 'Authorization: user@example.com'
    -H "Idempotency-Key: chaos-duplicate-$number-0123456789")
  for ((i = 0; i < 40; i++)); do
    urls+=(-o "$work/duplicate.$i" "http://127.0.0.1:${port[api$((1 + i % 2))]}/rides")
  done
  clients_see 'a duplicate' "409|$served" \
    "${ask[@]}" -Z --parallel-immediate --parallel-max 40 -w '%{http_code}\n' "${urls[@]}"
  within 20 "${ask[@]}" -f -o "$work/duplicate.last" "http://127.0.0.1:${port[api1]}/rides" ||
    wrong "a duplicate got no answer"
  bodies=$(cat "$work"/duplicate.* | grep -o '{"message":[^}]*}}' | sort -u | wc -l)
  ((bodies == 1)) || wrong "duplicates got $bodies different answers"
  rm -f "$work"/duplicate.*
}

# Repeats a few finished keys again and again on many connections, also with credentials that belong to nobody. Each
# curl repeats one key.
fault_repeats() {
  local i repeats url=http://127.0.0.1:${port[$target]}
  local ask=(curl -s -m 5 -d "$ride") known='Authorization: user@example.com'
  local key="Idempotency-Key: chaos-repeat-0123456789-$number-"
  for i in 1 2; do
    within 20 "${ask[@]}" -f -o "$work/repeat.$i" -H "$known" -H "$key$i" "$url/rides" ||
      wrong "there is no answer to repeat"
  done
  # An api that has just been started knows no user yet, and all unknown callers share the limit of their address.
  within 20 ask_for_account || wrong "another user is not served"
  repeat_without_end >"$work/repeats" 2>/dev/null &
  repeats=$!
  clients_see "another user's request" 200 ask_meanwhile
  wait "$repeats" || true
  clients_see 'a repeat' "401|$served" cat "$work/repeats"
  for i in 1 2; do
    within 20 "${ask[@]}" -f -o "$work/repeat.last" -H "$known" -H "$key$i" "$url/rides" || true
    cmp -s "$work/repeat.last" "$work/repeat.$i" || wrong "a repeat got another answer in the end"
  done
  rm -f "$work"/repeat.*
}
repeat_without_end() {
  local user i seconds
  seconds=$(printf '%d.%03d' $((hold / 1000)) $((hold % 1000)))
  for user in user nobody; do
    for i in 1 2; do
      # The part after the # makes curl repeat the request and is not sent. stdbuf writes each status at once, because
      # timeout ends curl.
      timeout "$seconds" stdbuf -oL "${ask[@]}" -Z --parallel-immediate --parallel-max 8 -o /dev/null \
        -w '%{http_code}\n' -H "${known/user/$user}" -H "$key$i" "$url/rides#[1-100000]" &
    done
  done
  wait
}
ask_meanwhile() {
  local until=$(($(now_ms) + hold))
  while (($(now_ms) < until)); do
    ask_for_account || true
    sleep 0.05
  done
}
ask_for_account() {
  curl -s -f -m 5 -o /dev/null -w '%{http_code}\n' -H 'Authorization: user-bad-source@example.com' "$url/account"
}

# Opens too many connections. Some are silent, some send a request. The first ones stay open and are served.
fault_surplus() {
  local crowd=$((connection_limit + 60)) closed
  clients_see "one of $crowd connections" "$served" come_in_a_crowd
  closed=$(<"$work/closed")
  ((closed >= crowd - connection_limit)) || wrong "only $closed of $crowd connections were closed"
  printf '%s\tconnections closed\t%s\n' "$kind" "$closed" >>"$work/seen.misfits"
}
come_in_a_crowd() {
  local i socket sockets=() closed=0 status request_id
  for ((i = 0; i < crowd; i++)); do
    connect || continue
    sockets+=("$socket")
    ((i % 2)) || ride_request "chaos-crowd-$number-$i-0123456789" >&"$socket" || true
  done
  pause_ms "$hold"
  for ((i = 0; i < ${#sockets[@]}; i++)); do
    socket=${sockets[i]}
    # The read succeeds if there is something to read: an answer, or the end of the connection.
    if ! read -r -t 0 <&"$socket"; then
      ((i % 2)) || printf 'no answer\n'
    elif read_answer; then
      printf '%s\n' "$status"
    else
      closed=$((closed + 1))
    fi
  done
  printf '%s\n' "$closed" >"$work/closed"
}

fault_overload() {
  local i
  for i in 1 2; do
    simulate "simulator-burst$number-$i" "api$i" --rate 0 --concurrency 120 --duration 2 --seed "$seed$number$i" \
      --settle 0
  done
  for i in 1 2; do
    status_of "${pid[simulator-burst$number-$i]}"
    ((status == 0)) || wrong "the simulator of a burst found something; see simulator-burst$number-$i.log"
  done
}
