#!/usr/bin/env bash
# Detect objects in every picture below some folders, as a batch job would:
#   scripts/detect_folder.sh [-o OUT] [-l LOG] FOLDER... [-- OPTION-OF-YOLO-DETECT...]
#
# OUT (default runs/batch) gets the annotated pictures and a detections.jsonl a folder: at the folder's path
# from the working directory, in OUT/_root at its whole path if it lies elsewhere. A folder that holds OUT is
# processed without it. A second run skips what is done already and tries again what could not be read, so an
# interrupted job simply starts again. One job at a time for each OUT: a lock sees to it. File names may
# contain anything, blanks and newlines included. Messages go to the terminal and to LOG (default OUT/job.log).
# Exit status: 0 all done, 3 some pictures could not be read, 2 wrong usage, 130 interrupted, 1 anything
# else (e.g. another job holds the lock).
set -u
yolo=${YOLO:-$(cd "$(dirname "$0")/.." && pwd)/yolo}
out=runs/batch log='' folders=() options=()

say() {
    printf '%s %s\n' "$(date '+%F %T')" "$*" | tee -a "${log:-/dev/null}" >&2
}

# Where FOLDER and its results are: real paths, as one folder can have several names. Sets real and place.
locate() { # FOLDER
    real=$(realpath -- "$1" && echo .) # the dot: a newline at the end of the name is kept
    real=${real%??}
    case "$real/" in
    "$here"/*) place=$out${real#"$here"} ;;
    *) place=$out/$elsewhere$real ;;
    esac
}

# The errors of the last run go: each picture that still cannot be read gets its record again.
drop_errors() { # DETECTIONS.jsonl
    [ ! -e "$1" ] || LC_ALL=C sed -i -E '/^\{"image":"([^"\\]|\\.)*","error":/d' "$1"
}

usage() {
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
}

while [ $# -gt 0 ]; do
    case "$1" in
    -o | -l)
        if [ $# -lt 2 ]; then
            usage >&2
            exit 2
        fi
        if [ "$1" = -o ]; then out=$2; else log=$2; fi
        shift
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    --)
        shift
        options=("$@")
        break
        ;;
    -*)
        echo "detect_folder: unknown option $1; options for yolo come after --" >&2
        exit 2
        ;;
    *) folders+=("$1") ;;
    esac
    shift
done
if [ ${#folders[@]} -eq 0 ]; then
    usage >&2
    exit 2
fi
if [ ! -x "$yolo" ]; then
    echo "detect_folder: no program at $yolo; run make first (or set YOLO)" >&2
    exit 1
fi

mkdir -p "$out" || exit 1
log=${log:-$out/job.log}
exec 9>"$out/.lock" || exit 1
if ! flock -n 9; then
    echo "detect_folder: another job is working on $out" >&2
    exit 1
fi
interrupted=
trap 'interrupted=1' INT TERM

here=$(pwd -P)
here=${here%/}
# A name that no folder here has, or only OUT itself.
elsewhere=_root
while [ -e "$elsewhere" ] && [ ! "$elsewhere" -ef "$out/$elsewhere" ]; do
    elsewhere=${elsewhere}_
done
real_out=$(realpath -- "$out")

worst=0
for folder in "${folders[@]}"; do
    [ -z "$interrupted" ] || break
    if [ ! -d "$folder" ]; then
        say "$folder: not a folder"
        worst=3
        continue
    fi
    locate "$folder"
    mkdir -p "$place" && drop_errors "$place/detections.jsonl" || exit 1
    excluded=(--exclude "$out")
    case "$real/" in "${real_out%/}"/*) excluded=() ;; esac # OUT is all around it
    say "$folder: start, results in $place"
    # The folder is an argument, never a list on stdin: names with newlines stay whole.
    "$yolo" detect "$real" --out "$place" --skip-existing --format jsonl -q ${excluded[@]+"${excluded[@]}"} \
        ${options[@]+"${options[@]}"} >>"$place/detections.jsonl" 2>>"$log" 9>&- </dev/null
    status=$?
    say "$folder: finished with status $status"
    case "$status" in
    0) ;;
    130) interrupted=1 ;;
    3) [ "$worst" -eq 0 ] && worst=3 ;;
    2)
        say "yolo refuses its options; the last message was: $(tail -n 2 "$log" | head -n 1)"
        exit 2
        ;;
    *) worst=1 ;;
    esac
done
if [ -n "$interrupted" ]; then
    say "interrupted; the same command goes on from here"
    exit 130
fi
say "all done, status $worst; results in $out"
exit "$worst"
