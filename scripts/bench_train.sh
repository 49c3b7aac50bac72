#!/usr/bin/env bash
# An epoch of the small networks beside PyTorch, in turns in one run:
#   scripts/bench_train.sh [--rounds N] [--epochs N] [--threads N] [--data FOLDER] [NET...]
# NET is mnist or mnist-dense, default both. Ours is a whole `yolo train` on the pictures of FOLDER (class folders; default the digits beside this
# folder), that is with decoding, shuffling and augmentation as the cfg has them, from the second epoch on; PyTorch's is the bare loop over tensors
# in memory (tests/tools/torch_epoch.py). Each round runs both, the order changing; shown are the medians of all epochs, and the median of the
# rounds' ratios, which other work on the machine moves less. $PYTHON names a Python that has torch (pip install torch==2.15.0).
set -eu
cd "$(dirname "$0")/.."
rounds=5 epochs=3 threads=2 data=../shared/data/mnist/images
nets=()
while [ $# -gt 0 ]; do
    case "$1" in
    --rounds | --epochs | --threads)
        [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || {
            echo "bench_train: $1 needs a number" >&2
            exit 2
        }
        printf -v "${1#--}" '%s' "$2"
        shift
        ;;
    --data) data=${2:-} && shift ;;
    -h | --help)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
        exit 0
        ;;
    mnist | mnist-dense) nets+=("$1") ;;
    *)
        echo "bench_train: unknown word $1 (see --help)" >&2
        exit 2
        ;;
    esac
    shift
done
[ ${#nets[@]} -gt 0 ] || nets=(mnist mnist-dense)
[ -d "$data" ] || {
    echo "bench_train: no folder $data (--data FOLDER with train/CLASS/x.png)" >&2
    exit 2
}
yolo=${YOLO:-./yolo}
[ -x "$yolo" ] || make -s -j"$threads"
python=''
for candidate in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3; do
    if [ -z "$python" ] && "$candidate" -c 'import torch' >/dev/null 2>&1; then
        python=$candidate
    fi
done
[ -n "$python" ] || {
    echo "bench_train: no Python with torch (\$PYTHON; pip install torch==2.15.0)" >&2
    exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=$(find -L "$data/train" -type f | wc -l)
updates=$(((count + 63) / 64))

ours() { # NET FILE: images a second of each epoch but the first
    rm -rf "$work/run"
    "$yolo" train --data "$data" --cfg "cfg/$1.cfg" --weights none --recipe darknet --batch 64 --subdivisions 1 --epochs $((epochs + 1)) \
        --val-every 1000000 --checkpoint-every 1000000 --log-every "$updates" --threads "$threads" --no-pictures --out "$work/run" -q >/dev/null
    awk -F, -v batch=64 -v each="$updates" '
        NR == 1 { for (i = 1; i <= NF; i++) { at[$i] = i } next }
        NR > 2 && $at["iteration"] % each == 0 { print each * batch / ($at["seconds"] - last) }
        { last = $at["seconds"] }' "$work/run/results.csv" | head -n "$epochs" >"$2"
}

torchs() { # NET FILE
    "$python" tests/tools/torch_epoch.py "$1" "$epochs" "$threads" "$count" >"$2"
}

median() { # of the numbers on stdin
    sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

echo "$("$python" -c 'import torch; print("torch", torch.__version__)'), $threads threads, batch 64, $count pictures, $rounds rounds of $epochs epochs"
printf '%-12s %18s %18s %22s\n' network 'ours, images/s' 'torch, images/s' 'ours / torch (median)'
for net in "${nets[@]}"; do
    : >"$work/ours" && : >"$work/torch" && : >"$work/ratios"
    for round in $(seq "$rounds"); do
        if [ $((round % 2)) -eq 1 ]; then
            ours "$net" "$work/a" && torchs "$net" "$work/b"
        else
            torchs "$net" "$work/b" && ours "$net" "$work/a"
        fi
        cat "$work/a" >>"$work/ours"
        cat "$work/b" >>"$work/torch"
        awk -v a="$(median <"$work/a")" -v b="$(median <"$work/b")" 'BEGIN { print a / b }' >>"$work/ratios"
    done
    printf '%-12s %18.0f %18.0f %22.2f\n' "$net" "$(median <"$work/ours")" "$(median <"$work/torch")" "$(median <"$work/ratios")"
done
