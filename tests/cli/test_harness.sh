#!/usr/bin/env bash
# The harness itself (lib.sh): what it counts as passed, failed and skipped, and that its comparisons can fail.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
suite() { # NAME STATUS TOTAL LINES: a suite of these lines ends with this status and total
    try "$1" YOLO="$YOLO" bash -c ". '$root/tests/cli/lib.sh'; $4; finish"
    status "$2"
    holds test "$(tail -n 1 "$work/out")" = "$3"
}
suite "all is well" 0 "1 passed, 0 failed, 0 skipped" "try a true; status 0"
suite "a suite that skips everything is skipped" 0 "0 passed, 0 failed, 2 skipped" "skip a b; skip c d"
suite "a suite that does nothing has failed" 1 "0 passed, 0 failed, 0 skipped" ":"
suite "what cannot be prepared is counted" 1 "1 passed, 1 failed, 0 skipped" "prepare false; try a true"
out '^FAIL prepare: false'
try "no program to be tested" YOLO="$work/none" bash -c ". '$root/tests/cli/lib.sh'; try a true; finish"
status 1; out '1 passed, 1 failed'
suite "numbers of JSON compare as numbers" 0 "1 passed, 0 failed, 0 skipped" \
    'try a printf "[{\"n\":10,\"s\":\"x\"},{\"n\":9,\"s\":\"y\"}]"; json "v[\"[0].n\"] > v[\"[1].n\"] && total(\"n\$\") == 19"
    json "any(\"\", \"n\", 9, \"s\", \"y\") && !any(\"\", \"n\", 9, \"s\", \"x\") && count(\"s\$\") == 2"'
suite "an expression that is not so" 1 "0 passed, 1 failed, 0 skipped" 'try a printf "{\"n\":1}"; json "v[\"n\"] == 2"'
for broken in '{"a":1,}' '["a' '[01]' '[1] x' '["\x"]' '["\ud800"]' $'["\377"]' $'["a\tb"]' '[nan]' ''; do
    printf '%s' "$broken" >"$work/broken.json"
    try "not JSON: $broken" "$helpers/flat" "$work/broken.json"
    status 1; err '^flat: byte [0-9]+: '
done
printf '%s' '{"a":[1,{"b":"\u00e9\ud83d\ude00\n\"/"}],"c":{},"d":-1.5e3}' >"$work/good.json"
try "JSON as lines" "$helpers/flat" "$work/good.json"
status 0
holds diff "$work/out" <(printf '%s\n' 'a[0]=1' $'a[1].b="\303\251\360\237\230\200\\u000a\\"/"' 'c={}' 'd=-1.5e3')
echo "a 1 .5" >"$work/one"
echo "a 1.0 0.52" >"$work/other"
try "numbers that agree" true
holds agree .03 "$work/one" "$work/other"
try "and that do not" bash -c ". '$root/tests/cli/lib.sh'; agree .01 '$work/one' '$work/other'"
status 1
finish
