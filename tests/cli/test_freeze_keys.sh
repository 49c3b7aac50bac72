#!/usr/bin/env bash
# Darknet's freezing keys in a cfg: what they freeze, for how long, what info and train say of it, resumed runs across
# the moment at which they end, and what is refused.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
# shellcheck source=tests/cli/lib_train.sh
. "$root/tests/cli/lib_train.sh"

base=(--data set/synth.data --seed 3)
"$YOLO" train "${base[@]}" --cfg tiny.cfg --iters 6 --out start -q >/dev/null 2>&1

with() { # KEY=VALUE: tiny.cfg with it in layer 1
    sed "0,/filters=8/s//filters=8\n$1/" tiny.cfg
}

moved() { # RUN CFG: layers of which anything moved since the start, statistics too
    "$YOLO" diff start/last.weights "$1/last.weights" --cfg "$2" 2>/dev/null | sed -n 's/^ *\([0-9][0-9]*\)  .* changed .*/\1/p' |
        sort -un | tr '\n' ' '
}

train() { # NAME CFG RUN ITERS [OPTIONS]
    local name=$1 cfg=$2 run=$3 iters=$4
    shift 4
    try "$name" "$YOLO" train "${base[@]}" --cfg "$cfg" --weights start/last.weights --iters "$iters" --out "$run" "$@"
}

# ---- for good ----

with onlyforward=1 >only.cfg
train "onlyforward=1 freezes the layer and what only it feeds the loss with" only.cfg only 6
status 0
err '^stage 1 of 1: freeze=0-1 '
holds [ "$(moved only only.cfg)" = "2 3 " ]
try "info counts so" "$YOLO" info --cfg only.cfg
status 0
out '^parameters  1822 \(1148 trainable, 52 statistics\)'
out '^frozen      layers 0-1: 2 of 4'

cat >branch.cfg <<'CFG'
[net]
width=64
height=64
channels=3
[convolutional]
batch_normalize=1
filters=8
size=3
stride=8
pad=1
activation=leaky
[convolutional]
filters=8
activation=leaky
onlyforward=1
[route]
layers=-1,-2
[convolutional]
filters=20
activation=linear
[yolo]
mask=0,1
anchors=12,12, 22,24
num=2
classes=5
CFG
try "onlyforward=1 on one of two ways to the loss" "$YOLO" info --cfg branch.cfg
status 2
one_error 'branch.cfg:15: \[convolutional\] layer 1: onlyforward=1 but what it reads also learns through other layers'
try "which --freeze settles" "$YOLO" info --cfg branch.cfg --freeze 0-0
status 0
out '^frozen      layers 0-1: '
sed 's/^onlyforward=1//; s/^num=2/num=2\nonlyforward=1/' branch.cfg >head.cfg
try "onlyforward=1 on a head" "$YOLO" info --cfg head.cfg
status 2
one_error 'head.cfg:[0-9]+: \[yolo\] layer 4: onlyforward=1 on a detection layer'
with train_only_bn=1 >bn.cfg
try "train_only_bn=1" "$YOLO" train "${base[@]}" --cfg bn.cfg --iters 6 --out bn
status 2
one_error 'bn.cfg:26: \[convolutional\] layer 1: train_only_bn=1 is not built here'
holds [ ! -e bn ]
try "which --freeze none passes over" "$YOLO" info --cfg bn.cfg --freeze none
status 0
out '^parameters  1822 \(1770 trainable, 52 statistics\)'

# ---- for a time ----

with dont_update=5 >dont.cfg
train "dont_update=5: nothing of it moves for five updates" dont.cfg dont5 5
status 0
err '^stage 1 of 1: freeze=1 .* 5 updates'
holds [ "$(moved dont5 dont.cfg)" = "0 2 3 " ]
train "and then it does" dont.cfg dont6 6
status 0
err '^stage 1 of 2: freeze=1 .* 5 updates'
err '^unfrozen: layers 1, 448 values'
holds [ "$(moved dont6 dont.cfg)" = "0 1 2 3 " ]
try "info" "$YOLO" info --cfg dont.cfg
status 0
out '^parameters  1822 \(1770 trainable, 52 statistics\)'
out '^at first    updates 1-5: layers 1 keep still, 1322 values are trained'
try "info as JSON" "$YOLO" info --cfg dont.cfg --format json
status 0
out '"to":[[:space:]]*5'
try "the dry run" "$YOLO" train "${base[@]}" --cfg dont.cfg --iters 6 --dry-run
status 0
out '^-- stage 1 of 2: freeze=1 '
out '^trained +1322 values'

with burnin_update=2 >burn.cfg
train "burnin_update=2: for twice the warm-up" burn.cfg burn6 6 --warmup 3
status 0
err '^stage 1 of 1: freeze=1 .* 6 updates'
holds [ "$(moved burn6 burn.cfg)" = "0 2 3 " ]
train "and then no more" burn.cfg burn7 7 --warmup 3
status 0
holds [ "$(moved burn7 burn.cfg)" = "0 1 2 3 " ]
try "the cfg's own, 10" "$YOLO" info --cfg burn.cfg
out '^at first    updates 1-20: layers 1 keep still'
train "burnin_update without a warm-up" burn.cfg burn0 2 --warmup 0
status 0
err 'burn.cfg:26: \[convolutional\] burnin_update has no effect: the run has no burn_in'

# A run that is cut behind every update, that at which dont_update ends too, is the run that was not: 36 ms are over
# after a few of these updates, and a little more than it took so far after one more.
slow=(--cfg dont.cfg --weights start/last.weights --iters 9 --batch 32 --subdivisions 1)
"$YOLO" train "${base[@]}" "${slow[@]}" --out whole -q >/dev/null 2>&1
try "cut before dont_update=5 ends" "$YOLO" train "${base[@]}" "${slow[@]}" --out cut --time 1e-5
status 0
updates() {
    tail -n 1 cut/results.csv | cut -d, -f1
}
holds [ "$(updates)" -lt 5 ]
try "resumed for each update" true
for ((i = 0; i < 9 && $(updates) < 9; i++)); do
    before=$(updates)
    hours=$("$YOLO" train --resume cut --time 1e-5 2>&1 | sed -n 's/.* it has trained for \([^ ]*\) hours.*/\1/p')
    hours=$(awk -v h="$hours" 'BEGIN { printf "%.9f", h * 1.001 }')
    "$YOLO" train --resume cut --time "$hours" -q >/dev/null 2>&1
    holds [ "$(updates)" -eq $((before + 1)) ]
done
holds cmp whole/last.weights cut/last.weights
holds [ "$(tail -n 1 cut/results.csv | cut -d, -f1,3)" = "9,2" ]

try "beside --stage" "$YOLO" train "${base[@]}" --cfg dont.cfg --out refused --stage "iters=3"
status 2
one_error 'dont.cfg:26: dont_update=N and --stage both plan the run'
try "beside --unfreeze-every" "$YOLO" train "${base[@]}" --cfg dont.cfg --unfreeze-every 1 --from heads --epochs 6 --dry-run
status 0
err 'dont.cfg:26: dont_update has no effect beside --unfreeze-every'

# ---- keys without effect are named ----

sed '0,/filters=8/s//filters=8\nclip=1/; 0,/momentum=.9/s//momentum=.9\nattention=1\nadversarial_lr=.1\nangle=7/' tiny.cfg >named.cfg
try "training keys that are not built" "$YOLO" info --cfg named.cfg
status 0
err 'named.cfg:11: \[net\] attention is not built here'
err 'named.cfg:12: \[net\] adversarial_lr is not built here'
err 'named.cfg:13: \[net\] angle has no effect: pictures are not turned'
err 'named.cfg:29: \[convolutional\] clip is not built here: weights are not clamped'
sed 's/^\[yolo\]/[dropout]\ndropblock=1\n[yolo]/' tiny.cfg >drop.cfg
try "dropblock" "$YOLO" info --cfg drop.cfg
status 0
err 'drop.cfg:[0-9]+: \[dropout\] dropblock is not built: plain dropout'
finish
