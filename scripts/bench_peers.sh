#!/usr/bin/env bash
# Latency of this program beside OpenCV's dnn module, from the same .cfg and .weights, in turns in one run:
#   scripts/bench_peers.sh [--runs N] [--rounds N] [--imgsz N] [--threads N] [MODEL...]
# MODEL is the stem of a .cfg in cfg/, default yolov4 and yolov4-tiny. Its weights are taken from weights/, else
# zeros stand in: only the time counts. Each round times one program and then the other; shown are the medians
# over rounds and the median of the rounds' ratios, which noise moves less. PyTorch: scripts/bench.sh.
# onnxruntime, openvino and ncnn read no .cfg; whether they are installed is reported, they are not measured.
# $PYTHON names the Python with cv2 (default: the first of python3 and /usr/bin/python3 that has it).
set -eu
cd "$(dirname "$0")/.."
runs=7 rounds=3 imgsz=416 threads=$(nproc 2>/dev/null || echo 2)
models=()
while [ $# -gt 0 ]; do
    case "$1" in
    --runs | --rounds | --imgsz | --threads)
        [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || {
            echo "bench_peers: $1 needs a number" >&2
            exit 2
        }
        printf -v "${1#--}" '%s' "$2"
        shift
        ;;
    -h | --help)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
        exit 0
        ;;
    -*)
        echo "bench_peers: unknown option $1 (see --help)" >&2
        exit 2
        ;;
    *) models+=("$1") ;;
    esac
    shift
done
[ ${#models[@]} -gt 0 ] || models=(yolov4 yolov4-tiny)
[ -x ./yolo ] || make -s -j"$threads"

python_with() { # MODULES: the first Python that has them, or nothing
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3; do
        if "$candidate" -c "import $1" >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
}

for peer in onnxruntime openvino ncnn; do
    if [ -n "$(python_with $peer)" ]; then
        echo "bench_peers: SKIP $peer: installed, but it reads no .cfg; not measured here" >&2
    else
        echo "bench_peers: SKIP $peer: not installed" >&2
    fi
done
python=$(python_with 'cv2, numpy')
if [ -z "$python" ]; then
    echo "bench_peers: SKIP OpenCV: no Python with cv2 and numpy found (apt install python3-opencv)" >&2
    exit 0
fi

number() { # KEY: the number behind "KEY": on stdin, or its median one level down
    tr -d '\n' | grep -oE "\"$1\":[[:space:]]*(\{[[:space:]]*\"median\":[[:space:]]*)?[0-9.eE+-]+" | head -n 1 | grep -oE '[0-9.eE+-]+$'
}

median() { # of the arguments
    printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '%-18s %6s %9s %10s %8s\n' model imgsz 'ours ms' 'opencv ms' ratio
for model in "${models[@]}"; do
    cfg=cfg/$model.cfg weights=weights/$model.weights
    if [ ! -f "$cfg" ]; then
        echo "bench_peers: SKIP $model: no $cfg" >&2
        continue
    fi
    if [ ! -f "$weights" ]; then # version 0.2.5, nothing seen, zeros
        weights=$folder/$model.weights
        bytes=$(./yolo info --cfg "$cfg" --format json -q | number weights_bytes)
        printf '\0\0\0\0\002\0\0\0\005\0\0\0\0\0\0\0\0\0\0\0' >"$weights"
        truncate -s "$bytes" "$weights"
    fi
    # OpenCV wants keys without blanks around = and takes the input size from the cfg
    sed -E "s/ *= */=/; s/^(width|height)=.*/\1=$imgsz/" "$cfg" >"$folder/net.cfg"
    ours=() theirs=() ratios=()
    for ((round = 0; round < rounds; round++)); do
        a=$(./yolo bench --cfg "$cfg" --weights "$weights" --imgsz "$imgsz" --threads "$threads" --runs "$runs" \
            --format json -q | number infer_ms)
        if ! json=$("$python" tests/tools/opencv_dnn.py "$folder/net.cfg" "$weights" --imgsz "$imgsz" \
            --threads "$threads" --runs "$runs" 2>"$folder/err"); then
            echo "bench_peers: SKIP $model: OpenCV: $(grep -m 1 error "$folder/err" || tail -n 1 "$folder/err")" >&2
            break
        fi
        b=$(number infer_ms <<<"$json")
        ours+=("$a") theirs+=("$b") ratios+=("$(awk -v a="$b" -v b="$a" 'BEGIN { print a / b }')")
    done
    [ ${#ratios[@]} -gt 0 ] || continue
    printf '%-18s %6s %9.1f %10.1f %7.2fx\n' "$model" "$imgsz" "$(median "${ours[@]}")" "$(median "${theirs[@]}")" \
        "$(median "${ratios[@]}")"
done
echo "OpenCV $("$python" -c 'import cv2; print(cv2.__version__)'), same threads ($threads);" \
    "ratio = OpenCV / ours, median of $rounds rounds"
