# shellcheck shell=bash
# The output of bin/chaos: a line for each fault, and a table for docs/reliability.md.
# shellcheck disable=SC2034,SC2016,SC2154

begin_mark='<!-- written by bin/chaos --report: begin -->'
end_mark='<!-- written by bin/chaos --report: end -->'

# A label is usual if the simulator's clients see it without any fault. Half of their requests are made to fail.
unusual_awk='function unusual(label) {
  return label !~ /^(20[01]|402_card_declined|422_parameter_.*|500_raise_error|hung_up)$/
}'

# told: turns lines of kind, label and count into one line for people.
told() {
  awk -F '\t' "$unusual_awk"'
    { if (unusual($2)) count[$2] += $3; else usual += $3 }
    END {
      print "as usual " usual + 0
      fflush()
      for (label in count) print label "\t" count[label] | "LC_ALL=C sort"
    }' | awk -F '\t' '
      NR == 1 { line = $0; next }
      { sub(/^refused$/, "connection refused", $1); sub(/^lost$/, "no answer", $1); sub(/_/, " ", $1)
        line = line ", " $1 " " $2 }
      END { print line }'
}

# seen_during KIND
seen_during() { awk -F '\t' -v kind="$1" '$1 == kind' "$work/seen.all" | told; }

make_report() {
  local kind times result=PASSED loss=nothing
  ((${#problems[@]} == 0)) || result=FAILED loss='see below'
  {
    printf '%s\n\n' "$begin_mark"
    printf '`bin/chaos --minutes %s --seed %s` on %s, %s cores: **%s** after %s faults. %s requests, ' \
      "$minutes" "$seed" "$(date -u +%F)" "$(nproc)" "$result" "${#schedule[@]}" "$requests"
    printf '%s acknowledged; lost: %s; charged twice: %s. ' "$acknowledged" "$lost" "$charged_twice"
    printf 'Settled %d.%d s after the traffic. ' $((settled_ms / 1000)) $((settled_ms / 100 % 10))
    printf 'Most memory: api %s MB, completer %s MB, enqueuer %s MB, reaper %s MB.\n\n' \
      "${peak_mb[api]}" "${peak_mb[completer]}" "${peak_mb[enqueuer]}" "${peak_mb[reaper]}"
    printf '| fault | how often | what clients saw meanwhile | what was lost |\n|---|---:|---|---|\n'
    for kind in "${kinds[@]}"; do
      times=$(printf '%s\n' "${kind_of[@]}" | grep -cx "$kind") || continue
      printf '| %s | %s | %s | %s |\n' "${title[$kind]}" "$times" "$(seen_during "$kind")" "$loss"
    done
    printf '| none: between the faults | | %s | %s |\n' "$(seen_during none)" "$loss"
    printf '| none: after the last fault | | %s | %s |\n' "$(seen_during end)" "$loss"
    ((${#problems[@]} == 0)) || printf '\n%s\n' "${problems[@]}"
    printf '\n%s\n' "$end_mark"
  } >"$work/report.md"
}

# Writes the report between the marks in the file. Without marks, the report becomes the whole file.
write_report() {
  if grep -qxF "$begin_mark" "$report" 2>/dev/null && grep -qxF "$end_mark" "$report"; then
    awk -v begin="$begin_mark" -v end="$end_mark" -v new="$work/report.md" '
      $0 == begin { while ((getline line <new) > 0) print line; skip = 1 }
      !skip { print }
      $0 == end { skip = 0 }' "$report" >"$work/document.md"
    cat "$work/document.md" >"$report"
  else
    cat "$work/report.md" >"$report"
  fi
  say "wrote $report"
}
