#!/usr/bin/env bash
# Whole commands on a machine that runs out of memory or disk somewhere on the way: no crash, the right code,
# nothing lost, a training goes on to the same end. A sample; scripts/fault_table.sh takes all.
# shellcheck disable=SC2154 # root: lib.sh; wrong, allocs, writes: lib_faults.sh
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$(dirname "$0")/lib_train.sh"
# shellcheck source=tests/cli/lib_faults.sh
. "$root/tests/cli/lib_faults.sh"

reason=$(faults_missing)
if [ -n "$reason" ]; then
    skip "faults of memory and disk" "$reason"
    finish
fi
faults_setup

# The K-th of TOTAL, spread from the first to the last.
sample() { # CMD KIND STICKY TOTAL RUNS
    local i k
    for ((i = 0; i < $5; i++)); do
        k=$((1 + ($4 - 1) * i / ($5 - 1)))
        try "$1: $2 $k of $4 fails$([ "$3" -eq 1 ] && echo ', and all after it')" true
        faults_run "$1" "$2" "$k" "$3" || fault "$wrong"
    done
}

for cmd in "${faults_commands[@]}"; do
    try "$cmd when nothing fails" true
    holds [ "${want_status[$cmd]}" -eq 0 ]
    holds [ "${allocs[$cmd]}" -gt 20 ]
    holds [ "${writes[$cmd]}" -gt 10 ]
    [ "$cmd" = train ] && runs=4 || runs=6
    sample "$cmd" alloc 0 "${allocs[$cmd]}" "$runs"
    sample "$cmd" write 0 "${writes[$cmd]}" 4
    sample "$cmd" write 1 "${writes[$cmd]}" 3
done
finish
