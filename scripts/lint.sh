#!/usr/bin/env bash
# The rules of docs/architecture.md that a machine can check: scripts/lint.sh [--quick]
#
#   floors        an include points to the own floor or a lower one; data/ knows nothing of networks, eval/
#                 of net/ and run/; synth/ sees of data/ only image.h
#   circles       no file includes, by way of others, one that includes it (foo_private.h counts as foo)
#   places        stb only in data/ and report/, libyaml only in base/yaml.c, libjpeg only in data/jpeg.c, intrinsics only in kernels/avx2_* and avx512_*, allocation only in
#                 base/memory.c, exit only in cli/main.c and, of all processes, base/ranks_*, MPI only in base/ranks_mpi.c, fopen only in base/fileio.c and, as lists may be
#                 pipes, data/inputs.c; opendir only in base/ and report/eval_worst.c; JSON is printed in
#                 base/json.c, which makes it UTF-8, but by results/results.c in pieces, and in memory by train/args.c
#   own header    foo.c includes foo.h before anything else
#   headers       each one compiles alone (but for *_template.h, which want macros first)
#   keys          every key of a cfg that is read by its name stands in cfg/keys.c, for "did you mean"
#   readme        every section of a cfg and every format of yolo detect stands in README.md
#   left-overs    no markers of unfinished work, no disabled code, no paths of one machine
#   everyday      the tests of every day (tests/cli, tests/unit) run no Python: a bare machine has none
#   format        what `make fmt` would change (clang-format 14: others differ in details; elsewhere not checked)
#   scripts       shellcheck, where it is installed (left out by --quick)
set -u
cd "$(dirname "$0")/.." || exit 1
faults=$(mktemp) || exit 1
trap 'rm -f "$faults"' EXIT
shopt -s nullglob globstar
sources=(src/*/*.[ch])
texts=(src/**/*.[ch] tests/**/*.[ch] tests/**/*.sh tests/**/*.py scripts/*.sh docs/*.md README.md
    Makefile .ci/run)

# One pass over the C sources with comments removed.
awk '
function fault(text) { printf "%s:%d: %s\n", FILENAME, FNR, text }
function floor_of(folder) { return folder in floors ? floors[folder] : -1 }
BEGIN {
    split("base 0 cfg 1 kernels 2 layers 3 net 4 data 5 train 6 eval 6 run 6 results 6 synth 6 exchange 6 doctor 7 report 7 cli 8", t, " ")
    for (i = 1; i in t; i += 2) {
        floors[t[i]] = t[i + 1]
    }
    split("data net eval net eval run eval train", t, " ")
    for (i = 1; i in t; i += 2) {
        strangers[t[i] " " t[i + 1]] = 1
    }
}
FNR == 1 {
    in_comment = 0
    includes = 0
    split(FILENAME, part, "/")
    folder = part[2]
    name = part[3]
    if (floor_of(folder) < 0) {
        fault("folder " folder "/ stands on no floor (docs/architecture.md, scripts/lint.sh)")
    }
    own = FILENAME
    sub(/\.c$/, ".h", own)
    has_own = own != FILENAME && (getline line < own) > 0
    close(own)
    own = folder "/" substr(own, length("src/" folder "/") + 1)
}
{
    line = $0
    code = ""
    while (line != "") { # what remains of the line outside comments
        if (in_comment) {
            end = index(line, "*/")
            if (!end) {
                break
            }
            in_comment = 0
            line = substr(line, end + 2)
            continue
        }
        if (match(line, /\/\*|\/\//)) {
            code = code substr(line, 1, RSTART - 1)
            in_comment = substr(line, RSTART, 2) == "/*"
            line = in_comment ? substr(line, RSTART + 2) : ""
        } else {
            code = code line
            line = ""
        }
    }
}
code ~ /^[ \t]*#[ \t]*include/ {
    target = code
    sub(/^[^<"]*[<"]/, "", target)
    sub(/[>"].*$/, "", target)
    includes++
    if (includes == 1 && has_own && target != own) {
        fault("the first include must be \"" own "\"")
    }
    split(target, part, "/")
    if (target ~ /(^|\/)stb_[a-z_]*\.h$/ && folder != "data" && folder != "report") {
        fault(target " belongs to data/ and report/ only")
    }
    if (target == "mpi.h" && FILENAME != "src/base/ranks_mpi.c") {
        fault(target " belongs to base/ranks_mpi.c only")
    }
    if (target == "yaml.h" && FILENAME != "src/base/yaml.c") {
        fault(target " belongs to base/yaml.c only")
    }
    if (target == "jpeglib.h" && FILENAME != "src/data/jpeg.c") {
        fault(target " belongs to data/jpeg.c only")
    }
    if (target ~ /^[a-z0-9]*intrin\.h$/ && !(folder == "kernels" && name ~ /^avx(2|512)_/)) {
        fault(target " belongs to kernels/avx2_* and kernels/avx512_* only")
    }
    if (code ~ /"/ && target ~ /\//) {
        if (floor_of(part[1]) > floor_of(folder)) {
            fault(folder "/ includes " target " of a higher floor")
        }
        if (folder == "synth" && part[1] == "data" && target != "data/image.h") {
            fault("synth/ includes of data/ only data/image.h")
        }
        if ((folder " " part[1]) in strangers) {
            fault(folder "/ does not include " part[1] "/: " target)
        }
    }
    next
}
{
    bare = code
    gsub(/"([^"\\]|\\.)*"/, "\"\"", bare)
    if (FILENAME != "src/base/memory.c" &&
        bare ~ /(^|[^A-Za-z0-9_.>])(malloc|calloc|realloc|free|aligned_alloc|posix_memalign|strdup|strndup|asprintf|vasprintf|alloca)[ \t]*\(/) {
        fault("only base/memory.c allocates and frees: use mem_alloc, mem_free, mem_strdup")
    }
    if (FILENAME !~ /^src\/(base\/json(_file)?|results\/results|train\/args)\.c$/ && bare ~ /cJSON_Print/) {
        fault("names may be no UTF-8: json_write and json_file_write see to that")
    }
    if (FILENAME !~ /^src\/(base\/.*|report\/eval_worst)\.c$/ && bare ~ /(^|[^A-Za-z0-9_.>])(fd)?opendir[ \t]*\(/) {
        fault("opens a folder: listing_read (base/listing.h) takes no unreadable folder for an empty one")
    }
    if (FILENAME !~ /^src\/(base\/fileio|data\/inputs)\.c$/ && bare ~ /(^|[^A-Za-z0-9_.>])(fopen|freopen)[ \t]*\(/) {
        fault("files are read through file_open and file_read, which refuse pipes, and written by atomic_open")
    }
    if (FILENAME !~ /^src\/(cli\/main|base\/ranks_(mpi|single))\.c$/ && bare ~ /(^|[^A-Za-z0-9_.>])(exit|_exit|_Exit|abort|quick_exit)[ \t]*\(/) {
        fault("only cli/main.c exits: return a result")
    }
    if (bare ~ /^[ \t]*#[ \t]*if[ \t]+0([ \t]|$)/) {
        fault("disabled code")
    }
}' "${sources[@]}" >>"$faults"

# tsort names what it cannot put in order.
for file in "${sources[@]}"; do
    sed -nE 's|^[ \t]*#[ \t]*include[ \t]+"([a-z0-9_]+/[a-z0-9_]+)\.h".*|'"${file#src/}"' \1|p' "$file"
done | sed -E 's/\.[ch] / /; s/_(private|internal)( |$)/\2/g' | awk '$1 != $2' | tsort 2>&1 >/dev/null |
    sed -n 's/^tsort: \(.*\/.*\)/\1   <- in a circle of includes/p' >>"$faults"

grep -nE 'cfg_[a-z]+\([^"]*, *"[A-Za-z0-9_]+"' "${sources[@]}" |
    sed -nE 's/^([^:]+:[0-9]+):.*cfg_[a-z]+\([^"]*, *"([A-Za-z0-9_]+)".*/\1 \2/p' | while read -r place key; do
    grep -q "^    \"$key\"," src/cfg/keys.c || echo "$place: the key $key is missing in src/cfg/keys.c"
done >>"$faults"

sed -nE 's/^ *\.name = "([A-Za-z0-9_]+)",$/`[\1]`/p' src/layers/*.c | while read -r section; do
    grep -qF "$section" README.md || echo "README.md: the table of layers does not name $section"
done >>"$faults"
sed -nE 's/^ *(FIRST|NEXT)\([A-Z0-9]+, "([a-z0-9]+)"\).*/`\2`/p' src/results/results.h | while read -r format; do
    sed 's/`--format /`/' README.md | grep '^| results |' | grep -qF "$format" ||
        echo "README.md: the row of results does not name the format $format"
done >>"$faults"

# The patterns are split so that this file does not find itself.
markers='\b(TO''DO|FIX''ME|XX''X|HA''CK)\b'
grep -sHnE "$markers" "${texts[@]}" | sed 's/$/   <- left-over marker/' >>"$faults"
machine='(^|[^[:alnum:]_}.])/(wo''rk/|tmp/w''t|ro''ot/|ho''me/[a-z])'
grep -sHnE "$machine" "${texts[@]}" | sed 's/$/   <- path of one machine/' >>"$faults"

grep -sHnE '(^|[^[:alnum:]_])(python|[[:alnum:]_]+\.py\b)' tests/cli/*.sh | grep -vE '^[^:]*:[0-9]+: *#' |
    sed 's/$/   <- Python in an everyday test: tests\/oracles\//' >>"$faults"

is_x86=$("${CC:-gcc}" -dumpmachine | grep -c '^x86_64')
for header in src/*/*.h; do
    isa=()
    case "$header" in
    *_template.h) continue ;;
    src/kernels/avx2_*) isa=(-mavx2 -mfma) ;;
    src/kernels/avx512_*) isa=(-mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl) ;;
    esac
    if [ ${#isa[@]} -gt 0 ] && [ "$is_x86" -eq 0 ]; then
        continue
    fi
    if ! "${CC:-gcc}" ${isa[@]+"${isa[@]}"} -std=c11 -Isrc -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -Wall -Wextra \
        -Wno-unused -Werror -fsyntax-only -x c "$header" >"$faults.gcc" 2>&1; then
        echo "$header:1: does not compile alone: $(grep -m1 error "$faults.gcc")" >>"$faults"
    fi
    rm -f "$faults.gcc"
done

if clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
    clang-format --dry-run src/*/*.[ch] tests/unit/*.[ch] tests/helpers/*.c tests/fuzz/*.[ch] 2>&1 |
        sed -nE 's/^([^ ]+:[0-9]+):[0-9]+: .*/\1: not as make fmt leaves it/p' >>"$faults"
fi

if [ "${1:-}" != --quick ]; then
    if command -v shellcheck >/dev/null; then
        shellcheck -x -S warning scripts/*.sh .ci/run tests/*/*.sh >>"$faults" 2>&1
    else
        echo "lint: shellcheck is not installed; scripts not checked" >&2
    fi
    clang-format --version 2>/dev/null | grep -q 'version 14\.' ||
        echo "lint: clang-format 14 is not installed; the format is not checked" >&2
fi

if [ -s "$faults" ]; then
    cat "$faults"
    echo "lint: $(grep -c '' "$faults") line(s) of faults" >&2
    exit 1
fi
