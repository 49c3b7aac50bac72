#!/usr/bin/env bash
# Latency and training steps of this program, and of PyTorch where it is installed, measured in turns in
# one run:
#   scripts/bench.sh [--train | --infer] [--compile] [--runs N] [--rounds N] [--imgsz N] [--batch N] [--threads N] [MODEL...]
# MODEL is a .cfg, or the stem of one in cfg/ (or in the shared references beside the repository); default yolov4
# and yolov4-tiny, for training steps yolov4-tiny alone (yolov4 takes minutes: name it). A training step is
# forward, loss, backward and update of --batch pictures (default 4), once with everything trained and once
# with the backbone frozen; with --compile also beside torch.compile, which takes minutes to begin. Weights are
# random: only the time counts. Each round times one program and then the other; shown are the medians over rounds
# and the median of the rounds' ratios, which noise moves less.
# $PYTHON names the Python with torch (default: the first of python3 and /usr/bin/python3 that has it).
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib_bench.sh
. scripts/lib_bench.sh
shared=${YOLO_SHARED:-../shared}
what=both compiles='' runs='' rounds=3 imgsz=416 batch=4 threads=$(nproc 2>/dev/null || echo 2)
models=()
while [ $# -gt 0 ]; do
    case "$1" in
    --train | --infer) what=${1#--} ;;
    --compile) compiles=1 ;;
    --runs) runs=$2 && shift ;;
    --rounds) rounds=$2 && shift ;;
    --imgsz) imgsz=$2 && shift ;;
    --batch) batch=$2 && shift ;;
    --threads) threads=$2 && shift ;;
    -h | --help)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
        exit 0
        ;;
    -*)
        echo "bench: unknown option $1 (see --help)" >&2
        exit 2
        ;;
    *) models+=("$1") ;;
    esac
    shift
done
[ -x ./yolo ] || make -s -j"$threads"

torch_python=
for candidate in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3; do
    if "$candidate" -c 'import torch, numpy' 2>/dev/null; then
        torch_python=$candidate
        break
    fi
done
[ -n "$torch_python" ] || echo "bench: SKIP PyTorch: no Python with torch and numpy found (set PYTHON)" >&2

machine='' # the processor, and the limit that was measured beside
say_machine() { # JSON of ours
    machine="$(word processor <<<"$1"): $(number peak_gflops <<<"$1") GFLOP/s of multiply-adds in registers"
}

find_cfg() { # MODEL
    local candidate
    for candidate in "$1" "cfg/$1.cfg" "$shared/reference/cfg/$1.cfg"; do
        if [[ $candidate == *.cfg && -f $candidate ]]; then
            echo "$candidate"
            return
        fi
    done
    echo "bench: SKIP $1: no such .cfg, nor in cfg/ or $shared/reference/cfg" >&2
}

header() { # WHAT
    printf '%-22s %-15s %9s %9s %8s %9s %8s\n' "$1" '' 'ours ms' "$2" 'RSS MB' 'torch ms' ratio
}

# One row: KEY is the JSON's, RATE a further number of ours.
compare() { # MODEL REMARK KEY RATE OURS... -- THEIRS...
    local name=$1 remark=$2 key=$3 rate=$4 ours=() theirs=() ratios=() rates=() own=() rss='-' json round
    local torch_ms='-' ratio='-'
    shift 4
    while [ "$1" != -- ]; do
        own+=("$1")
        shift
    done
    shift
    for ((round = 0; round < rounds; round++)); do
        json=$("${own[@]}" --imgsz "$imgsz" --threads "$threads" --format json -q)
        ours+=("$(number "$key" <<<"$json")")
        rates+=("$(number "$rate" <<<"$json")")
        rss=$(number peak_rss_mb <<<"$json")
        say_machine "$json"
        if [ -n "$torch_python" ]; then
            json=$("$torch_python" "$@" --imgsz "$imgsz" --threads "$threads")
            theirs+=("$(number "$key" <<<"$json")")
            ratios+=("$(awk -v a="${theirs[round]}" -v b="${ours[round]}" 'BEGIN { print a / b }')")
        fi
    done
    if [ -n "$torch_python" ]; then
        torch_ms=$(printf '%.1f' "$(median "${theirs[@]}")")
        ratio=$(printf '%.2fx' "$(median "${ratios[@]}")")
    fi
    printf '%-22s %-15s %9.1f %9.1f %8.0f %9s %8s\n' "$name" "$remark" "$(median "${ours[@]}")" \
        "$(median "${rates[@]}")" "$rss" "$torch_ms" "$ratio"
}

if [ "$what" != train ]; then
    header "an image, $imgsz" GFLOP/s
    for model in ${models[@]+"${models[@]}"} $([ ${#models[@]} -gt 0 ] || echo yolov4 yolov4-tiny); do
        cfg=$(find_cfg "$model")
        [ -z "$cfg" ] || compare "$(basename "$model" .cfg)" '' infer_ms gflops ./yolo bench --cfg "$cfg" --runs "${runs:-7}" -- \
            tests/tools/torch_reference.py "$cfg" --runs "${runs:-7}"
    done
fi
if [ "$what" != infer ]; then
    header "a step, $imgsz, batch $batch" 'img/s'
    for model in ${models[@]+"${models[@]}"} $([ ${#models[@]} -gt 0 ] || echo yolov4-tiny); do
        cfg=$(find_cfg "$model")
        [ -n "$cfg" ] || continue
        backbone=$(./yolo info "$cfg" --freeze backbone -q | sed -n 's/^frozen *layers \([0-9,-]*\).*/\1/p')
        model=$(basename "$model" .cfg)
        step=(./yolo bench --train --cfg "$cfg" --batch "$batch" --runs "${runs:-3}")
        torch_step=(tests/tools/torch_train.py "$cfg" --batch "$batch" --runs "${runs:-3}")
        compare "$model" 'all trained' step_ms images_per_s "${step[@]}" -- "${torch_step[@]}"
        compare "$model" "$backbone frozen" step_ms images_per_s "${step[@]}" --freeze "$backbone" -- \
            "${torch_step[@]}" --freeze "$backbone"
        if [ -n "$compiles" ]; then
            compare "$model" 'torch.compile' step_ms images_per_s "${step[@]}" -- "${torch_step[@]}" --compile
        fi
    done
fi
if [ -n "$torch_python" ]; then
    echo "torch $("$torch_python" -c 'import torch; print(torch.__version__)'), same threads ($threads), batch norm" \
        "folded for images; ratio = torch / ours, median of $rounds rounds"
fi
[ -z "$machine" ] || echo "$machine"
