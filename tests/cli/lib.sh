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
#   json 'EXPRESSION' [FILE]                          stdout (FILE) is valid JSON of which this is true, see below
#   jsonl 'EXPRESSION' [FILE]                         the same of JSON lines
#
# The verdict on a test is printed when the next one begins; `finish` prints the total. Every test ends
# with one line: "ok NAME", "FAIL NAME: why" or "SKIP NAME: reason". A suite that skips everything is skipped.
#
# What a test needs it makes without Python, which a bare machine lacks (scripts/lint.sh looks): pictures and
# labels by `prepare "$YOLO" synth FOLDER ...` or "$helpers/squares FOLDER" (twenty BMPs that are quickly
# learnt), other files by here-documents, printf and awk (any awk). The programs in "$helpers" are tests/helpers/*.c, each says
# what it does in its head; another one is one more file there. Numbers are compared by `agree LIMIT A B`. What only
# Python, OpenCV or PyTorch can tell belongs to tests/oracles/ (scripts/test_oracles.sh).
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
YOLO=${YOLO:-./yolo}
case "$YOLO" in /*) ;; *) YOLO=$root/${YOLO#./} ;; esac
helpers=${YOLO%/*}/tests/helpers
[ -x "$helpers/flat" ] || helpers=$root/build/release/tests/helpers
# shellcheck disable=SC2034 # for the tests
SHARED=${YOLO_SHARED:-$root/../shared}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0
current='' faults='' last_status=0

close_test() {
    if [ -n "$current" ]; then
        if [ -z "$faults" ]; then
            passed=$((passed + 1))
            echo "ok $current"
        else
            failed=$((failed + 1))
            echo "FAIL $current:$faults"
            # awk ends every line, the last one, too: the total stands alone on its
            awk 'NR <= 5 { print "    stdout: " $0 }' "$work/out"
            awk 'NR <= 5 { print "    stderr: " $0 }' "$work/err"
        fi
    fi
    current='' faults=''
}

prepare() { # COMMAND...: something the tests stand on; a failure of its own if it cannot be made
    close_test
    if ! "$@" >"$work/prepare" 2>&1; then
        failed=$((failed + 1))
        echo "FAIL prepare: $*: $(tail -n 1 "$work/prepare")"
    fi
}
prepare test -x "$YOLO"
prepare test -x "$helpers/flat" # make tests

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

# A program with a sanitizer needs terabytes of address space, and keeps what was freed.
sanitized=$(grep -qa __asan_init "$YOLO" && echo yes)
limit_memory() { # KB: what "${limited[@]}" in front of a command gives it as address space; no limit with a sanitizer
    # shellcheck disable=SC2016,SC2034 # expanded by the inner shell; for the tests
    limited=(bash -c 'ulimit -v "$0" && exec "$@"' "$1")
    # shellcheck disable=SC2034
    [ -z "$sanitized" ] || limited=(env)
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

# The program under test reads what it is asked in awk: v["path"] is a leaf, strings without their quotes, as in
# v["[0].objects[1].name"] == "dog". count(REGEX): how many paths match; total(REGEX): the sum of their values;
# any(LIST, KEY1, VALUE1, KEY2, VALUE2): a member of LIST has both (KEY2 may be left out).
json_holds() { # EXPRESSION FILE [FLAT-FLAG]
    # shellcheck disable=SC2086 # the flag may be absent
    "$helpers/flat" ${3:-} "$2" >"$work/flat" 2>"$work/flat.err" || {
        fault "$(basename "$2"): $(cat "$work/flat.err")"
        return
    }
    LC_ALL=C awk '
    function count(regex,    k, n) { n = 0; for (k in v) { n += k ~ regex }; return n }
    function total(regex,    k, n) { n = 0; for (k in v) { if (k ~ regex) { n += v[k] } }; return n }
    function any(list, k1, x1, k2, x2,    i, p) {
        for (i = 0; (p = list "[" i "]") in members; i++) {
            if (v[p "." k1] == x1 && (k2 == "" || v[p "." k2] == x2)) { return 1 }
        }
        return 0
    }
    {
        at = index($0, "=")
        path = substr($0, 1, at - 1)
        value = substr($0, at + 1)
        if (value ~ /^"/) { value = substr(value, 2, length(value) - 2) }
        else if (value ~ /^[-0-9]/) { value += 0 } # else it compares as a string
        v[path] = value
        while (match(path, /(\.[^.]*|\[[0-9]+\])$/)) { # every container above it
            members[path]
            path = substr(path, 1, RSTART - 1)
        }
        members[path]
    }
    END { exit !('"$1"') }' "$work/flat" || fault "not so: $1"
}

json() { # EXPRESSION [FILE]
    json_holds "$1" "${2:-$work/out}"
}

jsonl() { # EXPRESSION [FILE]
    json_holds "$1" "${2:-$work/out}" -l
}

cell() { # FILE COLUMN first|last: a value of results.csv
    awk -F, -v name="$2" -v which="$3" '
    NR == 1 { for (i = 1; i <= NF; i++) { if ($i == name) { column = i } } next }
    column && $column != "" { value = $column; if (which == "first") { exit } }
    END { print value }' "$1"
}

agree() { # LIMIT FILE FILE: word by word the same, numbers to LIMIT; at least one word
    LC_ALL=C awk -v limit="$1" '
    function number(s) { return s ~ /^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$/ }
    NR == FNR { want[FNR] = $0; lines = FNR; next }
    {
        n = split(want[FNR], w, " ")
        if (n != NF) { print "line " FNR ": " want[FNR] " | " $0; bad = 1; exit }
        for (i = 1; i <= n; i++) {
            words++
            same = number(w[i]) && number($i) ? (w[i] - $i <= limit && $i - w[i] <= limit) : w[i] "" == $i ""
            if (!same) { print "line " FNR ": " want[FNR] " | " $0; bad = 1; exit }
        }
    }
    END { exit bad || FNR != lines || !words }' "$2" "$3"
}

# shellcheck disable=SC2317 # called through holds
labels_agree() { # FOLDER FOLDER: the same label files below both, numbers to one of the last decimal
    local name
    diff <(cd "$1" && find . -name '*.txt' | sort) <(cd "$2" && find . -name '*.txt' | sort) || return 1
    while IFS= read -r name; do
        cmp -s "$1/$name" "$2/$name" || agree 1.5e-6 "$1/$name" "$2/$name" || return 1
    done < <(cd "$1" && find . -name '*.txt')
    [ -n "$(find "$1" -name '*.txt' | head -n 1)" ]
}

skip() { # NAME REASON
    close_test
    skipped=$((skipped + 1))
    echo "SKIP $1: $2"
}

finish() {
    close_test
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
    exit
}

interrupt_at() { # FILE COMMAND...: SIGINT as soon as the file is there
    set -m # else a background job ignores SIGINT
    "${@:2}" >/dev/null 2>"$work/err" &
    await "$1"
    kill -INT $!
    wait $!
    last_status=$?
    set +m
}

await() { # FILE: until it is there, for a minute at most
    for _ in $(seq 1200); do
        [ -e "$1" ] && return
        sleep 0.05
    done
}
