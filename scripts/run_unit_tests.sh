#!/usr/bin/env bash
# Run every unit test program of a folder: run_unit_tests.sh DIR. Prints failures and one total line.
set -u
dir=${1:?usage: run_unit_tests.sh DIR}
passed=0 failed=0 skipped=0
for program in "$dir"/*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    output=$("$program" 2>&1)
    status=$?
    last=$(printf '%s\n' "$output" | grep -E '^[0-9]+ passed, [0-9]+ failed' | tail -n 1)
    if [ -z "$last" ]; then
        printf '%s\n' "$output" | tail -n 40
        echo "FAIL $(basename "$program"): ended with status $status and no total"
        failed=$((failed + 1))
        continue
    fi
    read -r p _ f _ s _ <<<"${last//,/}"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%s\n' "$output" | grep '^SKIP'
    if [ "$f" -ne 0 ] || [ "$status" -ne 0 ]; then
        printf '%s\n' "$output" | grep -v '^ok '
        [ "$f" -eq 0 ] && failed=$((failed + 1)) && echo "FAIL $(basename "$program"): status $status"
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
