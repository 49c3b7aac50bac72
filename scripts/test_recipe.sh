#!/usr/bin/env bash
# Does `yolo train` without flags get somewhere, whatever the set, the start and the length?
#   scripts/test_recipe.sh [NUMBER...]
# Twenty small trainings on rendered pictures (tests/cli/test_recipe.sh runs three of them), or those with the numbers. Each
# must reach half of the best mAP@.5 that any setting is known to have reached in its place: the last column below. One line a
# training: number, what, mAP@.5, the best known, seconds of the processor. The last line is "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
yolo=${YOLO:-./yolo}
case "$yolo" in /*) ;; *) yolo=$PWD/$yolo ;; esac
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# Number, base, pictures to train on, words for yolo train, best known mAP@.5 (docs/recipe.md says how they were found).
#   small     four convolutions of our own, from nothing; as every cfg that did not come with the program it needs
#             --recipe auto. Its set shows the base shapes at 64x64, the others' the target classes at 96x96
#   loaded    the bundled network, begun with its weights, which know other classes
#   tabletop  the same from nothing
#   tiny      yolov4-tiny from nothing
runs() {
    cat <<'END'
1  small     80  -                                      .106
2  small     160 --epochs_40                            .147
3  loaded    24  --epochs_40                            .075
4  small     40  -                                      .085
5  small     160 -                                      .239
6  small     80  --epochs_60                            .096
7  loaded    12  -                                      .101
8  loaded    40  -                                      .149
9  loaded    160 -                                      .209
10 loaded    12  --freeze_backbone                      .120
11 loaded    40  --freeze_backbone                      .165
12 loaded    160 --freeze_backbone                      .209
13 loaded    40  --epochs_30                            .073
14 loaded    160 --epochs_10                            .095
15 loaded    40  --epochs_30_--freeze_backbone          .071
16 loaded    40  --freeze_all-but-heads                 .070
17 tabletop  40  -                                      .105
18 tabletop  160 --epochs_40                            .109
19 tiny      40  --epochs_80                            .057
20 tiny      160 --epochs_20                            .056
END
}

small_cfg() {
    local filters
    printf '[net]\nwidth=64\nheight=64\nchannels=3\nbatch=64\nsubdivisions=1\nlearning_rate=.001\nburn_in=1000\n'
    printf 'max_batches=10000\npolicy=steps\nsteps=8000,9000\nscales=.1,.1\n'
    for filters in 16 32 64; do
        printf '[convolutional]\nbatch_normalize=1\nfilters=%s\nsize=3\nstride=2\npad=1\nactivation=leaky\n' "$filters"
    done
    printf '[convolutional]\nbatch_normalize=1\nfilters=64\nsize=3\nstride=1\npad=1\nactivation=leaky\n'
    printf '[convolutional]\nfilters=20\nsize=1\nactivation=linear\n'
    printf '[yolo]\nmask=0,1\nanchors=12,12, 22,24\nnum=2\nclasses=5\njitter=.1\niou_loss=ciou\niou_normalizer=.07\n'
}

prepare() { # BASE PICTURES: the folder of the set
    local kind=base size=64
    [ "$1" = small ] || kind=target size=96
    local folder=$work/$kind-$2
    [ -d "$folder" ] || "$yolo" synth "$folder" --classes "$kind" --train "$2" --val 60 --size "${size}x$size" --seed 5 -q \
        >/dev/null || exit 1
    echo "$folder"
}

start() { # BASE PICTURES: sets data, and words[] for yolo train
    local base=tabletop weights=none
    data=$(prepare "$1" "$2")
    if [ "$1" = small ]; then
        small_cfg >"$work/small.cfg"
        words=(--cfg "$work/small.cfg" --recipe auto)
        return
    fi
    [ "$1" != tiny ] || base=yolov4-tiny
    [ "$1" != loaded ] || weights=weights/tabletop.weights
    [ -d "$work/$1-$2" ] || "$yolo" init --data "$data/synth.data" --base "$base" --imgsz 96 --weights "$weights" \
        --out "$work/$1-$2" -q >/dev/null || exit 1
    words=(--cfg "$work/$1-$2/$1-$2.cfg" --weights "$weights")
}

passed=0 failed=0
TIMEFORMAT='%U %S'
while read -r number base pictures more best; do
    case " $* " in "  " | *" $number "*) ;; *) continue ;; esac
    start "$base" "$pictures"
    [ "$more" = - ] && more=''
    IFS=_ read -ra given <<<"$more"
    cpu=$({ time "$yolo" train --data "$data/synth.data" "${words[@]}" "${given[@]}" --out "$work/run$number" \
        --threads 1 >"$work/out" 2>"$work/err"; } 2>&1)
    map=$(awk '$1 == "all" && NF == 7 { print $3 + 0 }' "$work/err") # of best.weights
    verdict=$(awk -v map="${map:-0}" -v best="$best" 'BEGIN { print (map >= best / 2 ? "ok" : "FAIL") }')
    [ "$verdict" = ok ] && passed=$((passed + 1)) || failed=$((failed + 1))
    echo "$verdict $number $base, $pictures pictures${more:+, ${more//_/ }}: mAP@.5 ${map:-none}, best known $best," \
        "$(awk -v t="$cpu" 'BEGIN { split(t, s, " "); printf "%.0f", s[1] + s[2] }') CPU s"
    [ -n "$map" ] || tail -n 3 "$work/err"
done < <(runs)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
