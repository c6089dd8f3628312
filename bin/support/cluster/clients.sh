# shellcheck shell=bash
# Clients that book rides while something is broken, and what they saw.
# shellcheck disable=SC2154

# unless FILE: succeeds until the file exists, or this script has ended.
unless() { [[ ! -e $1 ]] && kill -0 $$ 2>/dev/null; }

# book_rides K: books one ride after another, each with its own key, until $dir/demo/stop exists. Repeats each request
# until it is acknowledged. Writes a line for each answer: when, the status (000: none), the charge's id.
book_rides() {
  local key status charge
  while unless "$dir/demo/stop"; do
    key=$(openssl rand -hex 16)
    status=''
    while [[ $status != 201 ]] && unless "$dir/demo/stop"; do
      status=$(curl -s -K "$dir/client/curlrc" -m 2 -o "$dir/demo/answer.$1" -w '%{http_code}' \
        -H "Idempotency-Key: $key" -d origin_lat=0 -d origin_lon=0 -d target_lat=0 -d target_lon=0 \
        "$(base_url)/rides") || status=000
      charge=''
      [[ $status != 201 ]] || charge=$(grep -o 'ch_[0-9a-f]*' "$dir/demo/answer.$1")
      printf '%s %s %s\n' "$(now_ms)" "$status" "$charge" >>"$dir/demo/answers.$1"
      sleep 0.1
    done
  done
}

clients=3

start_clients() {
  local k
  rm -rf -- "$dir/demo"
  mkdir -m 0700 "$dir/demo"
  client_pids=()
  for ((k = 1; k <= clients; k++)); do
    : >"$dir/demo/answers.$k"
    book_rides "$k" 8>&- &
    client_pids+=($!)
  done
}

stop_clients() {
  touch "$dir/demo/stop"
  wait "${client_pids[@]}" || true
}

acknowledged() { cat "$dir"/demo/answers.* | grep -c ' 201 ' || true; }

# await_rides COUNT: waits until the clients have so many more acknowledged rides.
await_rides() {
  local until
  until=$(($(acknowledged) + $1))
  within 120 more_than "$until" || fail "the clients get no rides any more"
}
more_than() { (($(acknowledged) >= $1)); }

# longest_gap SINCE: prints the longest time in ms, since then, in which no ride was acknowledged to any client.
longest_gap() {
  sort -n "$dir"/demo/answers.* | awk -v since="$1" '
    $2 == 201 && last && $1 >= since && $1 - last > gap { gap = $1 - last }
    $2 == 201 { last = $1 }
    END { print gap + 0 }'
}

# answers_since WHEN: prints how many answers of each kind there were since then.
answers_since() {
  cat "$dir"/demo/answers.* | awk -v since="$1" '$1 >= since { n[$2]++ }
    END { for (s in n) printf "%s%d x %s", (c++ ? ", " : ""), n[s], (s == "000" ? "no answer" : s) }'
}

# lost_rides: prints how many rides were acknowledged to these clients, and how many of these the leader does not have.
# It knows them by their charges: if a leader lost rides, it gives their ids to others.
lost_rides() {
  {
    printf 'CREATE TEMP TABLE acknowledged (charge text);\nCOPY acknowledged FROM STDIN;\n'
    awk '$2 == 201 { print $3 }' "$dir"/demo/answers.*
    printf '\\.\n'
    cat <<'END'
SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT FROM rides WHERE stripe_charge_id = charge))
  FROM acknowledged;
END
  } | sql -F ' '
}
