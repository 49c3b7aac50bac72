# shellcheck shell=bash
# Sourced by the scripts that run tests and add them up. A test script ends with "N passed, N failed" (", N skipped"
# may follow); so does a script that sources this one and ends with `total`.
passed=0 failed=0 skipped=0
skip_list='' # a file that collects the SKIP lines, if named

is_total() { # LINE
    [[ $1 =~ ^[0-9]+\ passed,\ [0-9]+\ failed ]]
}

add() { # TOTAL-LINE: 1 if it is none
    local p f s
    is_total "$1" || return 1
    read -r p _ f _ s _ <<<"${1//,/}"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${s:-0}))
}

fail() { # WHAT
    echo "FAIL $1"
    failed=$((failed + 1))
}

skip() { # WHAT
    echo "SKIP $1"
    skipped=$((skipped + 1))
    [ -z "$skip_list" ] || echo "SKIP $1" >>"$skip_list"
}

count() { # NAME COMMAND...: a test script; failures and skips are shown, then its total
    local name=$1 output status last before=$failed
    shift
    output=$("$@" 2>&1)
    status=$?
    last=$(printf '%s\n' "$output" | grep -aE '^[0-9]+ passed, [0-9]+ failed' | tail -n 1)
    if ! add "$last"; then
        printf '%s\n' "$output" | tail -n 40
        fail "$name: status $status and no total"
        return
    fi
    if [ "$failed" -ne "$before" ] || [ "$status" -ne 0 ]; then
        printf '%s\n' "$output" | grep -av '^ok '
        [ "$failed" -ne "$before" ] || fail "$name: status $status"
    else
        printf '%s\n' "$output" | grep -a '^SKIP'
    fi
    [ -z "$skip_list" ] || printf '%s\n' "$output" | grep -a '^SKIP' >>"$skip_list"
    echo "$name: $last"
}

total() { # the last line, and the end: 0 if nothing failed; what is skipped is skipped
    local line="$passed passed, $failed failed"
    [ "$skipped" -eq 0 ] || line="$line, $skipped skipped"
    echo "$line"
    [ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
    exit
}
