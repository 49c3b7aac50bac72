# shellcheck shell=bash
# Sourced by tests that make small networks: sections of a cfg on stdout.

small_net() { # BATCH MAX_BATCHES: 64 x 64, mosaic, gentle colours
    cat <<CFG
[net]
width=64
height=64
channels=3
batch=$1
subdivisions=2
learning_rate=0.004
burn_in=10
max_batches=$2
momentum=.9
decay=.0005
mosaic=1
hue=.05
saturation=1.2
exposure=1.2
CFG
}

convolution() { # FILTERS ACTIVATION [STRIDE]: 3x3 with batch norm
    printf '[convolutional]\nbatch_normalize=1\nfilters=%s\nsize=3\n%spad=1\nactivation=%s\n' "$1" "${3:+stride=$3
}" "$2"
}

small_head() { # CLASSES ANCHORS [LINE]: two anchors, multi-scale
    cat <<CFG
[convolutional]
filters=$((2 * (5 + $1)))
size=1
activation=linear
[yolo]
mask=0,1
anchors=$2
num=2
classes=$1
jitter=.1
random=1
${3:+$3
}iou_loss=ciou
iou_normalizer=.07
CFG
}
