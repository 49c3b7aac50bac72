#!/usr/bin/env bash
# Run every unit test program of a folder: run_unit_tests.sh DIR [RUNNER...]. Prints failures, skips and
# one total line. RUNNER (e.g. qemu-aarch64) is put in front of each program.
# $TEST_EXCLUDE: names of programs to skip. A program without its source in tests/unit is left over from an older build and does not run.
set -u
# A test opens a team for each of its small loops; threads that spin between them starve each other on a busy machine.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
dir=${1:?usage: run_unit_tests.sh DIR [RUNNER...]}
shift
root=$(cd "$(dirname "$0")/.." && pwd)
limit=${TEST_TIMEOUT:-600} # seconds, against a hang only
passed=0 failed=0 skipped=0
for program in "$dir"/*; do
    name=$(basename "$program")
    if ! [ -f "$program" ] || ! [ -x "$program" ] || ! [ -f "$root/tests/unit/$name.c" ]; then
        continue
    fi
    case " ${TEST_EXCLUDE:-} " in
    *" $name "*)
        echo "SKIP $name: excluded by TEST_EXCLUDE"
        skipped=$((skipped + 1))
        continue
        ;;
    esac
    output=$(timeout "$limit" "$@" "$program" 2>&1 </dev/null)
    status=$?
    last=$(printf '%s\n' "$output" | grep -aE '^[0-9]+ passed, [0-9]+ failed' | tail -n 1)
    if [ -z "$last" ]; then
        printf '%s\n' "$output" | tail -n 40
        [ "$status" -eq 124 ] && echo "$name: stopped after $limit s"
        echo "FAIL $name: ended with status $status and no total"
        failed=$((failed + 1))
        continue
    fi
    read -r p _ f _ s _ <<<"${last//,/}"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${s:-0}))
    printf '%s\n' "$output" | grep -a '^SKIP'
    if [ "$f" -ne 0 ] || [ "$status" -ne 0 ]; then
        printf '%s\n' "$output" | grep -av '^ok '
        if [ "$f" -eq 0 ]; then
            failed=$((failed + 1))
            echo "FAIL $name: status $status"
        fi
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
