#!/usr/bin/env bash
# mAP against processor time, from random numbers, with the commands that a newcomer types, beside Ultralytics with its defaults:
#   scripts/race.sh [--limit SECONDS] [--out DIR] RUN...
# RUN is SET-WHO-SEED.
#   SET   bccd, raccoon, aquarium (real pictures, from ../shared) or objects (rendered)
#   WHO   ours     yolo init and yolo train; no flag but the size of the input
#         yolo11n, yolo26n: Ultralytics' network from its yaml, without weights (pip installs it into build/race)
# All see 320x320, use one thread (processor seconds are what counts, and the other core may be busy) and stop after SECONDS of
# the processor, default 2400. A finished run is left alone, so that tables may grow over several calls. scripts/race_report.py judges what each
# had at each time, all by `yolo eval`, and makes tables and charts. $PYTHON is 3.11 or newer.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib_sets.sh
. scripts/lib_sets.sh
ultralytics=8.4.190 torch=2.15.0
shared=${YOLO_SHARED:-../shared}
yolo=$(realpath "${YOLO:-./yolo}")
limit=2400 out=runs/race size=320
runs=()
usage() {
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
}
while [ $# -gt 0 ]; do
    case "$1" in
    --limit) limit=${2:?} && shift ;;
    --out) out=${2:?} && shift ;;
    -h | --help) usage && exit 0 ;;
    bccd-*-[0-9]* | raccoon-*-[0-9]* | aquarium-*-[0-9]* | objects-*-[0-9]*) runs+=("$1") ;;
    *) echo "race: no option or run $1 (see --help)" >&2 && exit 2 ;;
    esac
    shift
done
[ ${#runs[@]} -gt 0 ] || { usage >&2 && exit 2; }

venv=build/race/venv
rival_is_here() {
    [ -x "$venv/bin/yolo" ] || {
        "${PYTHON:-python3}" -m venv "$venv"
        "$venv/bin/pip" install -q "ultralytics==$ultralytics" "torch==$torch"
    }
}

# Copies what `yolo detect --run` would use after every validation that made it better: best-N.weights, N in processor seconds.
train_ours() { # SET FOLDER SEED
    local set=$1 folder=$2 seed=$3 pid cpu seen=''
    "$yolo" init --names "$(echo "$out/$set"/*.names)" --base yolov4-tiny --train "$out/$set/train.txt" --valid "$out/$set/val.txt" \
        --imgsz "$size" --weights none --out "$folder/net" -q >/dev/null
    "$yolo" train --data "$folder/net/net.data" --cfg "$folder/net/net.cfg" --seed "$seed" --threads 1 --out "$folder/run" >/dev/null 2>"$folder/log" &
    pid=$!
    echo 'cpu_s,weights' >"$folder/curve.csv"
    while kill -0 "$pid" 2>/dev/null; do
        cpu=$(awk '{ sub(/.*\) /, ""); print ($12 + $13) / '"$(getconf CLK_TCK)"' }' "/proc/$pid/stat" 2>/dev/null) || break
        keep_best "$cpu"
        if awk "BEGIN { exit !($cpu > $limit) }"; then
            kill -TERM "$pid" # SIGINT is ignored by what a script starts in the background
            break
        fi
        sleep 1
    done
    wait "$pid" || [ $? -eq 130 ]
    keep_best "${cpu:-0}"
}

keep_best() { # SECONDS; the caller's folder and seen
    local best=$folder/run/best.weights stamp
    [ -e "$best" ] || return 0
    stamp=$(stat -c %Y.%s.%i "$best")
    [ "$stamp" != "$seen" ] || return 0
    seen=$stamp
    cp "$best" "$folder/best-$1.weights"
    echo "$1,best-$1.weights" >>"$folder/curve.csv"
}

for run in "${runs[@]}"; do
    IFS=- read -r set who seed <<<"$run"
    folder=$out/$run
    [ ! -e "$folder/done" ] || continue
    rm -rf "$folder"
    mkdir -p "$out" "$folder"
    prepare_set "$set" "$out/$set" "${size}x$size"
    case "$who" in
    ours) train_ours "$set" "$folder" "$seed" ;;
    yolo11n | yolo26n)
        rival_is_here
        "$venv/bin/python" tests/tools/train_ultralytics.py "$folder" --data "$out/$set" --names "$(echo "$out/$set"/*.names)" \
            --cfg "$who.yaml" --imgsz "$size" --seed "$seed" --threads 1 --limit "$limit" >"$folder/log" 2>&1
        ;;
    *) echo "race: who is $who? (see --help)" >&2 && exit 2 ;;
    esac
    touch "$folder/done"
done
