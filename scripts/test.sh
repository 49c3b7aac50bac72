#!/usr/bin/env bash
# Everything that is checked on every change: set-up, build with -Werror, lint, unit tests, tests of
# the command line. scripts/test.sh [--asan]: --asan repeats the tests with ASan and UBSan.
# The last line is "N passed, N failed" (and ", N skipped" if tests were skipped). Exit status 0 only
# if something ran and nothing failed. A step that cannot run (set-up, build, lint) is one failure.
set -u
cd "$(dirname "$0")/.." || exit 1
exec </dev/null

variants=(release)
case "${1:-}" in
'') ;;
--asan) variants+=(asan) ;;
*)
    echo "usage: scripts/test.sh [--asan]" >&2
    exit 2
    ;;
esac

passed=0 failed=0 skipped=0

finish() {
    local line="$passed passed, $failed failed"
    [ "$skipped" -gt 0 ] && line="$line, $skipped skipped"
    echo "$line"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

step() { # WHAT COMMAND...: a step counts only when it fails
    local what=$1
    shift
    echo "== $what"
    if ! "$@"; then
        echo "FAIL $what"
        failed=$((failed + 1))
        return 1
    fi
}

count() { # NAME COMMAND...: a test script; its last line is its total
    local name=$1 output status last p f s
    shift
    output=$("$@" 2>&1)
    status=$?
    last=$(printf '%s\n' "$output" | grep -aE '^[0-9]+ passed, [0-9]+ failed' | tail -n 1)
    if [ -z "$last" ]; then
        printf '%s\n' "$output" | tail -n 40
        echo "FAIL $name: status $status and no total"
        failed=$((failed + 1))
        return
    fi
    read -r p _ f _ s _ <<<"${last//,/}"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${s:-0}))
    if [ "$f" -ne 0 ] || [ "$status" -ne 0 ]; then
        printf '%s\n' "$output" | grep -av '^ok '
        if [ "$f" -eq 0 ]; then
            echo "FAIL $name: status $status"
            failed=$((failed + 1))
        fi
    else
        printf '%s\n' "$output" | grep -a '^SKIP'
    fi
    echo "$name: $last"
}

jobs=$(nproc 2>/dev/null || echo 2)
# shellcheck disable=SC2317 # called through step
quiet_make() {
    make -s -j"$jobs" WERROR=1 "$@" >build/make.log 2>&1 || {
        tail -n 60 build/make.log
        return 1
    }
}

mkdir -p build
step set-up scripts/setup.sh || finish
step lint scripts/lint.sh --quick
for variant in "${variants[@]}"; do
    step "build ($variant)" quiet_make VARIANT="$variant" "build/$variant/yolo" tests || continue
    if [ "$variant" = release ]; then
        cp -f build/release/yolo yolo
    fi
    echo "== unit tests ($variant)"
    count "unit tests" scripts/run_unit_tests.sh "build/$variant/tests"
    echo "== command line ($variant)"
    # Against a hang only; a sanitizer, or a machine that is busy otherwise, takes its time.
    limit=${TEST_TIMEOUT:-$([ "$variant" = release ] && echo 300 || echo 1800)}
    for script in tests/cli/*.sh; do
        case "$script" in */lib*.sh | */_*.sh | '*') continue ;; esac
        [ -f "$script" ] || continue
        count "$script" env YOLO="$PWD/build/$variant/yolo" timeout "$limit" bash "$script"
    done
done
finish
