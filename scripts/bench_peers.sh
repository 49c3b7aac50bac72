#!/usr/bin/env bash
# Latency of this program beside ONNX Runtime, OpenVINO, ncnn and OpenCV's dnn module, in turns in one run:
#   scripts/bench_peers.sh [--runs N] [--rounds N] [--imgsz N] [--threads N] [--peer NAME]... [MODEL...]
# MODEL is a .cfg, or the stem of one in cfg/, default yolov4 and yolov4-tiny, with the weights of its name beside it or in weights/, or random ones. onnxruntime, openvino, ncnn and
# opencv (5) run what `yolo export` writes up to the inputs of the heads; opencv4, which reads cfg and weights itself, is measured too. Each round times every
# program once, with the limit of the processor measured beside; shown are the medians over rounds and the median of the rounds' ratios, which noise moves less. The programs are
# installed in the versions of scripts/lib_python.sh, into build/; one that cannot be is skipped and named. PyTorch: scripts/bench.sh.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib_bench.sh
. scripts/lib_bench.sh
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
[ ${#peers[@]} -gt 0 ] || peers=(onnxruntime openvino ncnn opencv opencv4)
for peer in "${peers[@]}"; do
    [[ $peer =~ ^(onnxruntime|openvino|ncnn|opencv|opencv4)$ ]] || {
        echo "bench_peers: no peer $peer (onnxruntime, openvino, ncnn, opencv, opencv4)" >&2
        exit 2
    }
done
[ -x ./yolo ] || make -s -j"$threads"
mkdir -p build
# shellcheck source=scripts/lib_python.sh
. scripts/lib_python.sh
find_python || exit 0
declare -A pythons
for part in onnx opencv; do # which hold OpenCV 5 and 4
    if install_for "$part"; then
        pythons[$part]=$folder/bin/python3
    else
        echo "bench_peers: SKIP what needs $(needs_of "$part"): it cannot be installed (build/oracles-$part.log)" >&2
    fi
done
part_of() { # PEER
    [ "$1" = opencv4 ] && echo opencv || echo onnx
}
found=()
for peer in "${peers[@]}"; do
    [ -z "${pythons[$(part_of "$peer")]:-}" ] || found+=("$peer")
done
[ ${#found[@]} -gt 0 ] || exit 0

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# $folder/net.onnx, and for OpenCV 4 net.cfg and net.weights: keys without blanks around =, the input size in the cfg; zeros (version 0.2.5, nothing seen)
# for weights that are not there.
prepare() { # CFG WEIGHTS
    sed -E "s/ *= */=/; s/^(width|height)=.*/\1=$imgsz/" "$1" >"$folder/net.cfg"
    rm -f "$folder/net.weights"
    if [ -f "$2" ]; then
        ln -s "$(realpath "$2")" "$folder/net.weights"
    else
        printf '\0\0\0\0\002\0\0\0\005\0\0\0\0\0\0\0\0\0\0\0' >"$folder/net.weights"
        truncate -s "$(./yolo info --cfg "$1" --format json -q | number weights_bytes)" "$folder/net.weights"
    fi
    ./yolo export "$folder/net.onnx" --boxes raw --cfg "$folder/net.cfg" --weights "$([ -f "$2" ] && echo "$2" || echo none)" -q
}

time_peer() { # PEER: its JSON
    local how=(tests/tools/peer_latency.py "$1" "$folder/net.onnx" --imgsz "$imgsz")
    [ "$1" != opencv4 ] || how=(tests/tools/opencv_dnn.py "$folder/net.cfg" "$folder/net.weights" --imgsz "$imgsz")
    "${pythons[$(part_of "$1")]}" "${how[@]}" --threads "$threads" --runs "$runs" 2>"$folder/err"
}

printf '%-20s %-12s %-12s %9s %9s %8s %8s\n' model program version 'its ms' 'ours ms' ratio 'of peak'
for model in "${models[@]}"; do
    cfg=$model
    [[ $cfg == *.cfg ]] || cfg=cfg/$model.cfg
    if [ ! -f "$cfg" ]; then
        echo "bench_peers: SKIP $model: no $cfg" >&2
        continue
    fi
    model=$(basename "$cfg" .cfg)
    weights=${cfg%.cfg}.weights
    [ -f "$weights" ] || weights=weights/$model.weights
    prepare "$cfg" "$weights"
    rm -f "$folder"/*.ms "$folder"/*.ratio
    for ((round = 0; round < rounds; round++)); do
        bench=$(./yolo bench --cfg "$cfg" --imgsz "$imgsz" --threads "$threads" --runs "$runs" --format json -q)
        ours=$(number infer_ms <<<"$bench")
        echo "$ours" >>"$folder/ours.ms"
        peak=$(number peak_gflops <<<"$bench")
        echo "$peak" >>"$folder/peaks"
        awk -v rate="$(number gflops <<<"$bench")" -v peak="$peak" 'BEGIN { print 100 * rate / peak }' >>"$folder/share.ms"
        for peer in "${found[@]}"; do
            if ! json=$(time_peer "$peer"); then
                echo "bench_peers: SKIP $model: $peer: $(grep -m 1 -i error "$folder/err" || tail -n 1 "$folder/err")" >&2
                continue
            fi
            theirs=$(number infer_ms <<<"$json")
            echo "$theirs" >>"$folder/$peer.ms"
            awk -v a="$theirs" -v b="$ours" 'BEGIN { print a / b }' >>"$folder/$peer.ratio"
            word version <<<"$json" >"$folder/$peer.version"
        done
    done
    for peer in "${found[@]}"; do
        [ -e "$folder/$peer.ms" ] || continue
        mapfile -t ms <"$folder/$peer.ms"
        mapfile -t own <"$folder/ours.ms"
        mapfile -t ratios <"$folder/$peer.ratio"
        mapfile -t shares <"$folder/share.ms"
        printf '%-20s %-12s %-12s %9.1f %9.1f %7.2fx %7.0f%%\n' "$model" "$peer" "$(cat "$folder/$peer.version")" "$(median "${ms[@]}")" \
            "$(median "${own[@]}")" "$(median "${ratios[@]}")" "$(median "${shares[@]}")"
    done
done
echo "$imgsz x $imgsz, same threads ($threads); ratio = its time / ours, median of $rounds rounds"
[ ! -e "$folder/peaks" ] ||
    echo "$(word processor <<<"$bench"), $(word isa <<<"$bench"): $(sort -g "$folder/peaks" | tail -n 1) GFLOP/s of multiply-adds in registers at best; of peak: what ours" \
        "does of that, counted as direct convolution (Winograd needs fewer)"
