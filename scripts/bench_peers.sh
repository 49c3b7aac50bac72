#!/usr/bin/env bash
# Latency of this program beside ONNX Runtime, OpenVINO, ncnn and OpenCV's dnn module, in turns in one run:
#   scripts/bench_peers.sh [--runs N] [--rounds N] [--imgsz N] [--threads N] [--peer NAME]... [MODEL...]
# MODEL is the stem of a .cfg in cfg/, default yolov4 and yolov4-tiny. OpenCV reads cfg and weights itself, from weights/ or with zeros; the
# others get the network with random weights, batch norm folded, through PyTorch and ONNX (tests/tools/peer_latency.py): only the time
# counts. Each round times every program once; shown are the medians over rounds and the median of the rounds' ratios, which noise moves
# less. A peer that is not installed is skipped and named. PyTorch itself: scripts/bench.sh.
# $PYTHON names a Python that has them (pip install torch onnx onnxruntime openvino ncnn pnnx opencv-python-headless); default: the first of
# python3 and /usr/bin/python3 that has the module.
set -eu
cd "$(dirname "$0")/.."
runs=7 rounds=3 imgsz=416 threads=$(nproc 2>/dev/null || echo 2)
models=() peers=()
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
    --peer) peers+=("${2:-}") && shift ;;
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
[ ${#peers[@]} -gt 0 ] || peers=(onnxruntime openvino ncnn opencv)
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

pythons=() found=()
for peer in "${peers[@]}"; do
    case "$peer" in
    onnxruntime | openvino) modules="numpy, torch, onnx, $peer" ;;
    ncnn) modules="numpy, torch, onnx, ncnn, pnnx" ;;
    opencv) modules="numpy, cv2" ;;
    *)
        echo "bench_peers: no peer $peer (onnxruntime, openvino, ncnn, opencv)" >&2
        exit 2
        ;;
    esac
    python=$(python_with "$modules")
    if [ -n "$python" ]; then
        found+=("$peer") pythons+=("$python")
    else
        echo "bench_peers: SKIP $peer: no Python with $modules" >&2
    fi
done
[ ${#found[@]} -gt 0 ] || exit 0

number() { # KEY: the number behind "KEY": on stdin, or its median one level down
    tr -d '\n' | grep -oE "\"$1\":[[:space:]]*(\{[[:space:]]*\"median\":[[:space:]]*)?[0-9.eE+-]+" | head -n 1 | grep -oE '[0-9.eE+-]+$'
}

median() { # of the arguments
    printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# $folder/net.cfg and $folder/net.weights, for OpenCV: keys without blanks around =, the input size in the cfg; zeros (version 0.2.5,
# nothing seen) for weights that are not there.
prepare_opencv() { # CFG WEIGHTS
    sed -E "s/ *= */=/; s/^(width|height)=.*/\1=$imgsz/" "$1" >"$folder/net.cfg"
    if [ -f "$2" ]; then
        ln -sf "$(realpath "$2")" "$folder/net.weights"
    else
        rm -f "$folder/net.weights"
        printf '\0\0\0\0\002\0\0\0\005\0\0\0\0\0\0\0\0\0\0\0' >"$folder/net.weights"
        truncate -s "$(./yolo info --cfg "$1" --format json -q | number weights_bytes)" "$folder/net.weights"
    fi
}

time_peer() { # PEER PYTHON CFG: its JSON
    local how=(tests/tools/peer_latency.py "$1" "$3")
    [ "$1" != opencv ] || how=(tests/tools/opencv_dnn.py "$folder/net.cfg" "$folder/net.weights")
    "$2" "${how[@]}" --imgsz "$imgsz" --threads "$threads" --runs "$runs" 2>"$folder/err"
}

printf '%-14s %-12s %-12s %9s %9s %8s\n' model program version 'its ms' 'ours ms' ratio
for model in "${models[@]}"; do
    cfg=cfg/$model.cfg
    if [ ! -f "$cfg" ]; then
        echo "bench_peers: SKIP $model: no $cfg" >&2
        continue
    fi
    prepare_opencv "$cfg" "weights/$model.weights"
    rm -f "$folder"/*.ms "$folder"/*.ratio
    for ((round = 0; round < rounds; round++)); do
        ours=$(./yolo bench --cfg "$cfg" --imgsz "$imgsz" --threads "$threads" --runs "$runs" --format json -q | number infer_ms)
        echo "$ours" >>"$folder/ours.ms"
        for i in "${!found[@]}"; do
            peer=${found[i]}
            if ! json=$(time_peer "$peer" "${pythons[i]}" "$cfg"); then
                echo "bench_peers: SKIP $model: $peer: $(grep -m 1 -i error "$folder/err" || tail -n 1 "$folder/err")" >&2
                continue
            fi
            theirs=$(number infer_ms <<<"$json")
            echo "$theirs" >>"$folder/$peer.ms"
            awk -v a="$theirs" -v b="$ours" 'BEGIN { print a / b }' >>"$folder/$peer.ratio"
            sed -E 's/.*"version": "([^"]*)".*/\1/' <<<"$json" >"$folder/$peer.version"
        done
    done
    for peer in "${found[@]}"; do
        [ -e "$folder/$peer.ms" ] || continue
        mapfile -t ms <"$folder/$peer.ms"
        mapfile -t own <"$folder/ours.ms"
        mapfile -t ratios <"$folder/$peer.ratio"
        printf '%-14s %-12s %-12s %9.1f %9.1f %7.2fx\n' "$model" "$peer" "$(cat "$folder/$peer.version")" "$(median "${ms[@]}")" \
            "$(median "${own[@]}")" "$(median "${ratios[@]}")"
    done
done
echo "$imgsz x $imgsz, same threads ($threads); ratio = its time / ours, median of $rounds rounds"
