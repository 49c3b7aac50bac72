#!/usr/bin/env bash
# Each command with each of its allocations, then each of its steps of writing, failing in turn: no crash, the
# right exit code, nothing lost. Prints a line a finding and a table of counts.
#
#   scripts/fault_table.sh [--stride N] [COMMAND...]
#
# --stride N takes every N-th attempt only; without it as many as fit about 400 runs a row. Commands: detect train
# eval check init convert_to convert_from (all). Exit status 1 if there was a finding.
# shellcheck disable=SC2154 # root, work: lib.sh; wrong, allocs, writes: lib_faults.sh
set -u
cd "$(dirname "$0")/.." || exit 1
stride=0
if [ "${1:-}" = --stride ]; then
    stride=${2:?--stride N}
    shift 2
fi
export YOLO=${YOLO:-build/release/yolo}
[ -x "$YOLO" ] || make -s -j"$(nproc 2>/dev/null || echo 2)" "$YOLO" tests
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh
[ "$failed" -eq 0 ] || exit 1
# shellcheck source=tests/cli/lib_train.sh
. tests/cli/lib_train.sh
# shellcheck source=tests/cli/lib_faults.sh
. "$root/tests/cli/lib_faults.sh"
reason=$(faults_missing)
if [ -n "$reason" ]; then
    echo "fault_table: $reason" >&2
    exit 1
fi
faults_setup || exit 1
[ $# -eq 0 ] && set -- "${faults_commands[@]}"
findings=0
table=()

sweep() { # CMD KIND STICKY TOTAL
    local cmd=$1 kind=$2 sticky=$3 total=$4 step=$stride tried=0 bad=0 k
    local -A ended=([whole]=0 [partly]=0 [refused]=0)
    [ "$step" -gt 0 ] || step=$(((total + 399) / 400))
    for ((k = 1; k <= total; k += step)); do
        tried=$((tried + 1))
        if ! faults_run "$cmd" "$kind" "$k" "$sticky"; then
            bad=$((bad + 1))
            echo "FOUND $cmd $kind $k sticky=$sticky:$wrong"
            head -n 3 "$work/err" | sed 's/^/    /'
        else
            ended[$verdict]=$((ended[$verdict] + 1))
        fi
    done
    findings=$((findings + bad))
    table+=("$(printf '%-13s %-6s %-5s %8d %7d %7d %8d %7d %7d %9d' "$cmd" "$kind" \
        "$([ "$sticky" -eq 1 ] && echo all || echo one)" "$total" "$step" "$tried" "${ended[refused]}" "${ended[partly]}" "${ended[whole]}" "$bad")")
}

for cmd in "$@"; do
    sweep "$cmd" alloc 0 "${allocs[$cmd]}"
    sweep "$cmd" write 0 "${writes[$cmd]}"
    sweep "$cmd" write 1 "${writes[$cmd]}"
done
printf '%-13s %-6s %-5s %8s %7s %7s %8s %7s %7s %9s\n' command kind fails attempts stride runs refused partly whole findings
printf '%s\n' "${table[@]}"
[ "$findings" -eq 0 ]
