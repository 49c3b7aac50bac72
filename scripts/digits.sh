#!/usr/bin/env bash
# What an autoencoder's encoder is worth to a classifier, by the number of labelled pictures (docs/transfer-learning.md, "Digits"):
#   scripts/digits.sh [--out DIR] [--report] [RUN...]
# RUN is WAY-COUNT-SEED; without any: every way, with 100, 500 and 6000 labelled pictures and seeds 1 to 3.
#   WAY   nothing  the classifier from random numbers
#         frozen   the encoder of the autoencoder, frozen (layers 0-18); the layers above train
#         staged   the same for a third of the updates, then all layers at a tenth of the rate, with stored statistics
#         all      the same encoder, all layers at once
# The autoencoder (cfg/mnist-autoencoder.cfg) trains first, on all 6,000 pictures, without labels. All ways of one COUNT train equally long. After
# each run the autoencoder is judged once more with the encoder that the run has left. A finished run is left alone. --report only
# prints the table of what is there. Pictures: ../shared/data/mnist. One thread each.
set -eu
cd "$(dirname "$0")/.."
shared=${YOLO_SHARED:-../shared}
yolo=$(realpath "${YOLO:-./yolo}")
out=runs/digits report='' runs=()
while [ $# -gt 0 ]; do
    case "$1" in
    --out) out=${2:?} && shift ;;
    --report) report=1 ;;
    -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" && exit 0 ;;
    nothing-*-[0-9]* | frozen-*-[0-9]* | staged-*-[0-9]* | all-*-[0-9]*) runs+=("$1") ;;
    *) echo "digits: no option or run $1 (see --help)" >&2 && exit 2 ;;
    esac
    shift
done
mnist=$shared/data/mnist
[ -n "$report" ] || [ -d "$mnist/images" ] || { echo "digits: no pictures in $mnist" >&2 && exit 2; }
mkdir -p "$out"
steady=(--recipe darknet --bn-momentum .05 --bn-start mean --threads 1 --lr-policy cosine -q)

autoencoder() {
    [ ! -e "$out/autoencoder/done" ] || return 0
    "$yolo" train --data "$mnist/images" --cfg cfg/mnist-autoencoder.cfg --weights none "${steady[@]}" --seed 1 --iters 940 \
        --out "$out/autoencoder" >/dev/null
    "$yolo" partial --cfg cfg/mnist-autoencoder.cfg --weights "$out/encoder.weights" --layers 19 --out "$out/encoder.weights" -q >/dev/null
    touch "$out/autoencoder/done"
}

# The loss of the autoencoder whose encoder is that of these weights. A weights file is 20 bytes and the layers' numbers in order.
reconstruction_error() { # WEIGHTS
    local part=$out/part.$$ bytes
    "$yolo" partial --cfg cfg/mnist-encoder.cfg --weights "$1" --layers 19 --out "$part" -q >/dev/null
    bytes=$(wc -c <"$part")
    tail -c "+$((bytes + 1))" "$out/autoencoder/best.weights" >>"$part"
    "$yolo" eval "$mnist/images" --cfg cfg/mnist-autoencoder.cfg --weights "$part" --format json -q 2>/dev/null | field loss
    rm -f "$part"
}

field() { # NAME: of JSON on stdin
    sed -n "s/.*\"$1\":[[:space:]]*\([0-9.e+-]*\).*/\1/p" | head -1
}

# COUNT pictures, as many of each class, others for each seed; $out/COUNT-SEED.data.
prepare() { # COUNT SEED
    local stem=$out/$1-$2 digit
    [ ! -e "$stem.data" ] || return 0
    seq 0 9 >"$out/digits.names"
    for digit in 0 1 2 3 4 5 6 7 8 9; do
        grep "/train/$digit/" "$mnist/train.txt" | shuf --random-source=<(yes "$2") | head -n "$(($1 / 10))"
    done | sed "s|^|$(realpath "$mnist")/|" >"$stem.txt"
    sed "s|^|$(realpath "$mnist")/|" "$mnist/val.txt" >"$out/val.txt"
    printf 'classes=10\ntrain=%s\nvalid=%s\nnames=%s\n' "$stem.txt" "$out/val.txt" "$out/digits.names" >"$stem.data"
}

train() { # WAY COUNT SEED
    local how updates=100 first
    [ "$2" -le 100 ] || updates=200
    [ "$2" -le 500 ] || updates=470
    first=$((updates / 3))
    case "$1" in
    nothing) how=(--weights none --iters "$updates") ;;
    all) how=(--weights "$out/encoder.weights" --iters "$updates") ;;
    frozen) how=(--weights "$out/encoder.weights" --freeze 0-18 --iters "$updates") ;;
    staged)
        how=(--weights "$out/encoder.weights" --stage "freeze=0-18 iters=$first"
            --stage "freeze=none bn=eval lr=0.0001 iters=$((updates - first))")
        ;;
    esac
    "$yolo" train --data "$out/$2-$3.data" --cfg cfg/mnist-encoder.cfg "${how[@]}" "${steady[@]}" --seed "$3" --val-every 50 --out "$out/$1-$2-$3" >/dev/null
}

judge() { # RUN SECONDS: way,count,seed,top1,reconstruction error,seconds
    local top error
    top=$("$yolo" eval --run "$out/$1" --format json -q 2>/dev/null | field top1)
    error=$(reconstruction_error "$out/$1/last.weights")
    echo "${1//-/,},$top,$error,$2" >"$out/$1/result"
}

table() { # the autoencoder's own error
    printf '| labelled pictures | way | top-1 | processor s | reconstruction error of its encoder (%.1f before) |\n' "$1"
    echo '|---|---|---|---|---|'
    local count way
    for count in 100 500 6000; do
        for way in nothing frozen staged all; do
            cat "$out/$way-$count"-*/result 2>/dev/null | awk -F, -v way="$way" -v count="$count" '
                { top += $4; error += $5; seconds += $6 }
                NR == 1 || $4 < low { low = $4 }
                $4 > high { high = $4 }
                END {
                    if (NR)
                        printf "| %s | %s | %.3f (%.3f to %.3f) | %.0f | %.1f |\n", count, way, top / NR, low, high,
                            seconds / NR, error / NR
                }'
        done
    done
}

if [ -z "$report" ]; then
    autoencoder
    if [ ${#runs[@]} -eq 0 ]; then
        for seed in 1 2 3; do
            for count in 100 500 6000; do
                for way in nothing frozen staged all; do
                    runs+=("$way-$count-$seed")
                done
            done
        done
    fi
    TIMEFORMAT='%U %S' # of the process: what else the machine does hardly counts
    for run in "${runs[@]}"; do
        [ ! -e "$out/$run/result" ] || continue
        IFS=- read -r way count seed <<<"$run"
        rm -rf "${out:?}/$run"
        prepare "$count" "$seed"
        { time train "$way" "$count" "$seed" 2>&3; } 3>&2 2>"$out/$run.cpu"
        judge "$run" "$(awk '{ print $1 + $2 }' "$out/$run.cpu")"
        cat "$out/$run/result"
    done
fi
table "$("$yolo" eval --run "$out/autoencoder" --format json -q 2>/dev/null | field loss)"
