#!/usr/bin/env bash
# A small network learns the 500 pictures of cifar10 by heart (13 s of a core): what a classifier that trains right can do.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
if [ ! -d "$SHARED/data/cifar10/images" ]; then
    skip "cifar10 by heart" "no shared data (set YOLO_SHARED)"
    finish
fi

# shellcheck source=tests/cli/lib_net.sh
. "$root/tests/cli/lib_net.sh"
{
    cat <<'CFG'
[net]
width=32
height=32
channels=3
batch=50
# the pictures as they are
flip=0
min_crop=32
max_crop=32
adam=1
learning_rate=0.003
policy=steps
steps=120,200
scales=.1,.1
max_batches=400
CFG
    for filters in 16 32 64; do
        convolution $filters leaky
        [ $filters = 64 ] || printf '[maxpool]\nsize=2\nstride=2\n'
    done
    printf '[connected]\noutput=10\nactivation=linear\n[softmax]\n'
} >cifar.cfg
try "cifar10 is trained" "$YOLO" train --cfg cifar.cfg --data "$SHARED/data/cifar10/images" --weights none \
    --seed 1 --val-every 400 --out run
status 0
err '^400: top-1 '
try "its 500 pictures are known by heart" "$YOLO" eval "$SHARED/data/cifar10/images" --split train --run run --format json
status 0
json 'v["images"] == 500 && v["top1"] == 1'
finish
