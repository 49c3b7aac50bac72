# shellcheck shell=bash
# Sourced by the tests of the command line. A test is one `try` and the expectations behind it:
#
#   try "name" [ENV=x...] "$YOLO" info --cfg x.cfg    run; stdout, stderr and status are kept
#   status 2                                          exit status
#   out 'regex' / err 'regex'                         some line matches (extended regex)
#   no_out 'regex' / no_err 'regex'                   no line matches
#   out_is 'text' / out_empty                         stdout is exactly this line / empty
#   one_error 'regex'                                 exactly one error line on stderr, and it matches
#   holds COMMAND...                                  any other condition; the command's status decides
#
# The verdict on a test is printed when the next one begins; `finish` prints the total. Every test ends
# with one line: "ok NAME", "FAIL NAME: why" or "SKIP NAME: reason".
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
YOLO=${YOLO:-./yolo}
case "$YOLO" in /*) ;; *) YOLO=$root/${YOLO#./} ;; esac
# shellcheck disable=SC2034 # for the tests
SHARED=${YOLO_SHARED:-$root/../shared}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0
current='' faults='' last_status=0
[ -x "$YOLO" ] || echo "FAIL: $YOLO is not there to be tested"

close_test() {
    if [ -n "$current" ]; then
        if [ -z "$faults" ]; then
            passed=$((passed + 1))
            echo "ok $current"
        else
            failed=$((failed + 1))
            echo "FAIL $current:$faults"
            sed 's/^/    stdout: /' "$work/out" | head -n 5
            sed 's/^/    stderr: /' "$work/err" | head -n 5
        fi
    fi
    current='' faults=''
}

try() { # NAME COMMAND...
    close_test
    current=$1
    shift
    env "$@" >"$work/out" 2>"$work/err" </dev/null
    last_status=$?
    # A crash or a sanitizer's finding is never an expected ending.
    if [ "$last_status" -ge 129 ] && [ "$last_status" -ne 130 ] && [ "$last_status" -ne 141 ]; then
        fault "died with status $last_status"
    fi
    if grep -qE 'AddressSanitizer|LeakSanitizer|runtime error:' "$work/err"; then
        fault "sanitizer: $(grep -m1 -E 'AddressSanitizer|LeakSanitizer|runtime error:' "$work/err")"
    fi
}

fault() {
    faults="$faults $1;"
}

status() {
    [ "$last_status" -eq "$1" ] || fault "status $last_status, expected $1"
}

out() {
    grep -qE -- "$1" "$work/out" || fault "stdout lacks /$1/"
}

err() {
    grep -qE -- "$1" "$work/err" || fault "stderr lacks /$1/"
}

no_out() {
    if grep -qE -- "$1" "$work/out"; then fault "stdout has /$1/"; fi
}

no_err() {
    if grep -qE -- "$1" "$work/err"; then fault "stderr has /$1/"; fi
}

out_is() {
    [ "$(cat "$work/out")" = "$1" ] || fault "stdout is not '$1'"
}

out_empty() {
    [ ! -s "$work/out" ] || fault "stdout is not empty"
}

one_error() {
    local count
    count=$(grep -c '^yolo: error: ' "$work/err")
    [ "$count" -eq 1 ] || fault "$count error lines"
    err "^yolo: error: .*$1"
}

holds() { # COMMAND...
    "$@" || fault "not so: $*"
}

skip() { # NAME REASON
    close_test
    skipped=$((skipped + 1))
    echo "SKIP $1: $2"
}

finish() {
    close_test
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}
