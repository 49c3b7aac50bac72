#!/usr/bin/env bash
# Latency of this program, and of PyTorch where it is installed, measured in turns in one run:
#   scripts/bench.sh [--runs N] [--rounds N] [--imgsz N] [--threads N] [MODEL...]
# MODEL is the stem of a .cfg in cfg/ (or in the shared references beside the repository); default yolov4
# and yolov4-tiny. Weights are random: only the time counts. Each round times one program and then the
# other; shown are the medians over rounds and the median of the rounds' ratios, which noise moves less.
# $PYTHON names the Python with torch (default: the first of python3 and /usr/bin/python3 that has it).
set -eu
cd "$(dirname "$0")/.."
shared=${YOLO_SHARED:-../shared}
runs=7 rounds=3 imgsz=416 threads=$(nproc 2>/dev/null || echo 2)
models=()
while [ $# -gt 0 ]; do
    case "$1" in
    --runs) runs=$2 && shift ;;
    --rounds) rounds=$2 && shift ;;
    --imgsz) imgsz=$2 && shift ;;
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
[ ${#models[@]} -gt 0 ] || models=(yolov4 yolov4-tiny)
[ -x ./yolo ] || make -s -j"$threads"

torch_python=
for candidate in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3; do
    if "$candidate" -c 'import torch, numpy' 2>/dev/null; then
        torch_python=$candidate
        break
    fi
done
[ -n "$torch_python" ] || echo "bench: SKIP PyTorch: no Python with torch and numpy found (set PYTHON)" >&2

number() { # KEY: the first number behind "KEY": on stdin, also one level down ("KEY": {"median": ...)
    tr -d '\n' | grep -oE "\"$1\": *(\{ *\"median\": *)?[0-9.eE+-]+" | head -n 1 | grep -oE '[0-9.eE+-]+$'
}

median() { # of the arguments
    printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

printf '%-22s %6s %9s %9s %9s %9s %8s\n' model imgsz 'ours ms' GFLOP/s 'RSS MB' 'torch ms' ratio
for model in "${models[@]}"; do
    cfg=
    for candidate in "cfg/$model.cfg" "$shared/reference/cfg/$model.cfg"; do
        if [ -f "$candidate" ]; then
            cfg=$candidate
            break
        fi
    done
    if [ -z "$cfg" ]; then
        echo "bench: SKIP $model: no $model.cfg in cfg/ or $shared/reference/cfg" >&2
        continue
    fi
    ours=() theirs=() ratios=() gflops=()
    rss='-'
    for ((round = 0; round < rounds; round++)); do
        json=$(./yolo bench --cfg "$cfg" --imgsz "$imgsz" --threads "$threads" --runs "$runs" --format json -q)
        ours+=("$(number infer_ms <<<"$json")")
        gflops+=("$(number gflops <<<"$json")")
        rss=$(number peak_rss_mb <<<"$json")
        if [ -n "$torch_python" ]; then
            json=$("$torch_python" tests/tools/torch_reference.py "$cfg" --imgsz "$imgsz" \
                --threads "$threads" --runs "$runs")
            theirs+=("$(number infer_ms <<<"$json")")
            ratios+=("$(awk -v a="${theirs[round]}" -v b="${ours[round]}" 'BEGIN { print a / b }')")
        fi
    done
    torch_ms='-' ratio='-'
    if [ -n "$torch_python" ]; then
        torch_ms=$(printf '%.1f' "$(median "${theirs[@]}")")
        ratio=$(printf '%.2fx' "$(median "${ratios[@]}")")
    fi
    printf '%-22s %6s %9.1f %9.0f %9.0f %9s %8s\n' "$model" "$imgsz" "$(median "${ours[@]}")" \
        "$(median "${gflops[@]}")" "$rss" "$torch_ms" "$ratio"
done
if [ -n "$torch_python" ]; then
    echo "torch $("$torch_python" -c 'import torch; print(torch.__version__)'), batch norm folded, same threads" \
        "($threads); ratio = torch / ours, median of $rounds rounds"
fi
