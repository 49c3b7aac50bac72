#!/usr/bin/env bash
# Weights that this program trained load in OpenCV's dnn module and give the same boxes there. Needs OpenCV 4:
# OpenCV 5 has no importer for Darknet's files.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
compare() { # CFG WEIGHTS PICTURE... OPTIONS
    try "OpenCV finds the same: $1" "${PYTHON:-python3}" "$root/tests/tools/compare_opencv.py" "$YOLO" "$@"
    status 0
    out 'boxes of [0-9]+ pictures agree'
}

compare cfg/tabletop.cfg weights/tabletop.weights data/tabletop/images/train/00000[0-4].jpg --least 30

# The layers of yolov4-tiny, small, trained here.
# shellcheck source=tests/cli/lib_train.sh
. "$root/tests/cli/lib_train.sh"
conv() { # FILTERS SIZE STRIDE
    printf '[convolutional]\nbatch_normalize=1\nfilters=%d\nsize=%d\nstride=%d\npad=1\nactivation=leaky\n' "$@"
}
head_on() { # MASK
    printf '[convolutional]\nfilters=30\nsize=1\nactivation=linear\n[yolo]\nmask=%s\n' "$1"
    printf 'anchors=8,8, 12,12, 16,16, 20,20, 26,26, 34,34\nnum=6\nclasses=5\nscale_x_y=1.05\n'
    printf 'iou_loss=ciou\niou_normalizer=.07\niou_thresh=.213\n'
}
{
    sed -n '/^\[net\]/,/^\[conv/p' tiny.cfg | grep -v '^\[conv'
    conv 8 3 2
    conv 16 3 2
    printf '[route]\nlayers=-1\ngroups=2\ngroup_id=1\n'
    conv 8 3 1
    conv 8 3 1
    printf '[route]\nlayers=-1,-2\n'
    conv 16 1 1
    printf '[route]\nlayers=1,-1\n[maxpool]\nsize=2\nstride=2\n'
    conv 32 3 1
    printf '[maxpool]\nsize=2\nstride=2\n'
    conv 32 3 1
    head_on 3,4,5
    printf '[route]\nlayers=-3\n'
    conv 16 1 1
    printf '[upsample]\nstride=2\n[route]\nlayers=-1,9\n'
    conv 24 3 1
    head_on 0,1,2
} >like_tiny.cfg
try "train a small net like yolov4-tiny" "$YOLO" train --data set/synth.data --cfg like_tiny.cfg --iters 300 \
    --no-augment --out run -q
status 0
compare like_tiny.cfg run/last.weights set/images/train/00000*.jpg --least 5
finish
