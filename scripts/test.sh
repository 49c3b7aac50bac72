#!/usr/bin/env bash
# Everything that is checked on every change: set-up, build with -Werror, lint, unit tests, tests of
# the command line. scripts/test.sh [--asan]: --asan repeats the tests with ASan and UBSan.
# The last line is "N passed, N failed" (and ", N skipped" if tests were skipped). Exit status 0 only
# if nothing failed. A step that cannot run (set-up, build, lint) is one failure. What was skipped, and why, is also in
# build/skipped.txt.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=scripts/lib_total.sh
. scripts/lib_total.sh
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

step() { # WHAT COMMAND...: a step counts only when it fails
    local what=$1
    shift
    echo "== $what"
    if ! "$@"; then
        fail "$what"
        return 1
    fi
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
skip_list=build/skipped.txt
: >"$skip_list"
step set-up scripts/setup.sh || total
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
    limit=${TEST_TIMEOUT:-$([ "$variant" = release ] && echo 900 || echo 1800)}
    for script in tests/cli/*.sh; do
        case "$script" in */lib*.sh | */_*.sh | '*') continue ;; esac
        [ -f "$script" ] || continue
        count "$script" env YOLO="$PWD/build/$variant/yolo" timeout "$limit" bash "$script"
    done
done
total
