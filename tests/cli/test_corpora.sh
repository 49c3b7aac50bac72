#!/usr/bin/env bash
# The corpora of the fuzz targets, one process a target (tests/fuzz/replay.c): each reader of foreign files returns
# from each of them, and what it refuses it refuses in words. scripts/fuzz.sh looks for new ones.
# shellcheck disable=SC2154 # root, work: lib.sh
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
programs=$(dirname "$YOLO")/fuzz
[ -d "$programs" ] || programs=$root/build/release/fuzz

for source in tests/fuzz/fuzz_*.c; do
    target=$(basename "$source" .c)
    target=${target#fuzz_}
    try "corpus of $target" TMPDIR="$work" "$programs/$target" "tests/fuzz/corpus/$target"
    status 0
    out '^[1-9][0-9]* passed, 0 failed$'
    # The process ended in the file that was named last.
    [ "$last_status" -eq 0 ] || fault "at $(grep '^ok ' "$work/out" | tail -n 1)"
    holds [ "$(grep -c '^ok ' "$work/out")" -eq "$(find "tests/fuzz/corpus/$target" -type f | wc -l)" ]
    holds [ -z "$(find "$work" -name 'fuzz.*')" ] # nothing is left in TMPDIR
done
finish
