#!/usr/bin/env bash
# The trainings behind docs/results.md and docs/transfer-learning.md:
#   scripts/experiments.sh [--short] [--out DIR] RUN...
# --short: 224x224 and fewer epochs, as in docs/transfer-learning.md; without, 320x320, as in docs/results.md.
# RUN is SET-WAY-SEED.
#   SET   bccd, raccoon, aquarium (real pictures, from ../shared; they begin with yolo-fastest-1.1-xl trained on COCO), or
#         objects (rendered: mug, die, bottle ...; they begin with the bundled model)
#   WAY   nothing  from random numbers, with the batch norm and the assignment of `yolo train`'s recipe
#         high     all layers at once, rate .001
#         low      all layers at once, rate .0002
#         heads    all but the heads frozen, rate .001
#         kept     the same, trained from the kept features of six variants of each picture
#         staged   the backbone frozen for a third of the time at .001, then all layers with --bn eval at .0002
#         brisk    as staged, but all at .001
#         drifting as staged, but the statistics of the frozen backbone move (--bn train)
# All of one SET train equally long, 50 updates of it warm-up; every schedule is a half cosine. A run that was stopped goes on, a finished one is left
# alone. scripts/experiments_report.py makes tables and charts of what is there. Each run uses one thread, so that two share a
# machine without waiting for each other; the weights do not depend on it.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib_sets.sh
. scripts/lib_sets.sh
shared=${YOLO_SHARED:-../shared}
yolo=${YOLO:-./yolo}
out='' short='' size=320x320
runs=()
while [ $# -gt 0 ]; do
    case "$1" in
    --out) out=$2 && shift ;;
    --short) short=1 size=224x224 ;;
    -h | --help)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
        exit 0
        ;;
    bccd-*-[0-9]* | raccoon-*-[0-9]* | aquarium-*-[0-9]* | objects-*-[0-9]*) runs+=("$1") ;;
    *)
        echo "experiments: no option or run $1 (see --help)" >&2
        exit 2
        ;;
    esac
    shift
done
[ ${#runs[@]} -gt 0 ] || {
    echo "experiments: which runs? (see --help)" >&2
    exit 2
}
[ -x "$yolo" ] || make -s
out=${out:-runs/${short:+short-}experiments}

base_of() { # SET: stem of the cfg and weights it begins with
    case "$1" in
    objects) echo "tabletop" ;;
    *) echo "$shared/weights/yolo-fastest-1.1-coco/yolo-fastest-1.1-xl" ;;
    esac
}

epochs_of() { # SET
    case "$1$short" in
    bccd) echo 50 ;;
    raccoon) echo 40 ;;
    aquarium | bccd1 | raccoon1) echo 24 ;;
    objects) echo 20 ;;
    aquarium1) echo 12 ;;
    objects1) echo 12 ;;
    esac
}

# $out/SET gets lists, labels and names, $out/SET/net the cfg and .data.
prepare() { # SET
    local set=$1 folder=$out/$1 base
    [ ! -e "$folder/net/net.data" ] || return 0
    prepare_set "$set" "$folder" "$size"
    base=$(base_of "$set")
    [ -e "$base.cfg" ] || base=cfg/$base
    "$yolo" init --recipe darknet --names "$(echo "$folder"/*.names)" --base "$base.cfg" --train "$folder/train.txt" --valid "$folder/val.txt" \
        --imgsz "$size" --batch 16 --subdivisions 1 --out "$folder/net" -q >/dev/null
}

train() { # SET WAY SEED
    local set=$1 way=$2 seed=$3 folder=$out/$1-$2-$3 epochs first how=() weights
    epochs=$(epochs_of "$set")
    first=$((epochs / 3))
    if [ -e "$folder/last.state" ]; then
        "$yolo" train --resume "$folder" --threads 1
        return
    fi
    weights=$(base_of "$set").weights
    [ -e "$weights" ] || weights=weights/$weights
    case "$way" in
    nothing) how=(--lr 0.001 --epochs "$epochs" --bn-momentum 0.1 --bn-start mean --assign-iou 0.213) ;;
    high) how=(--weights "$weights" --lr 0.001 --epochs "$epochs") ;;
    low) how=(--weights "$weights" --lr 0.0002 --epochs "$epochs") ;;
    heads) how=(--weights "$weights" --freeze all-but-heads --lr 0.001 --epochs "$epochs") ;;
    kept) how=(--weights "$weights" --freeze all-but-heads --cache-features 6 --lr 0.001 --epochs "$epochs") ;;
    staged | brisk | drifting)
        how=(--weights "$weights" --stage "freeze=backbone lr=0.001 warmup=25 epochs=$first"
            --stage "freeze=none bn=eval lr=0.0002 warmup=25 epochs=$((epochs - first))")
        [ "$way" != brisk ] || how[5]=${how[5]/0.0002/0.001}
        [ "$way" != drifting ] || how[3]="freeze=backbone bn=train lr=0.001 warmup=25 epochs=$first"
        ;;
    *)
        echo "experiments: no way $way (see --help)" >&2
        exit 2
        ;;
    esac
    how=("$yolo" train --data "$out/$set/net/net.data" --cfg "$out/$set/net/net.cfg" "${how[@]}" --recipe darknet --lr-policy cosine --warmup 50
        --ema 0.99 --clip-norm 100 --seed "$seed" --val-every 65 --threads 1 --cache-mb 1200 --out "$folder")
    echo "${how[@]@Q}" >&2
    "${how[@]}"
}

TIMEFORMAT='%U %S' # of the process: what else the machine does hardly counts
for run in "${runs[@]}"; do
    IFS=- read -r set way seed <<<"$run"
    prepare "$set"
    mkdir -p "$out/$run"
    { time train "$set" "$way" "$seed" 2>&3; } 3>&2 2>>"$out/$run/cpu"
    touch "$out/$run/done"
done
