# shellcheck shell=bash disable=SC2154 # work is set by lib.sh, base by the test
# Sourced by tests of yolo train, behind lib.sh: a set of rendered pictures and a net that is trained in
# seconds, both in $work, which becomes the working directory.
#
#   set/synth.data   24 pictures of 64 x 64 to train on, 10 to validate on, five classes
#   tiny.cfg         64 x 64, four convolutions with batch norm, one head; mosaic, multi-scale
prepare "$YOLO" synth "$work/set" --train 24 --val 10 --size 64x64 --seed 5 -q

cat >"$work/tiny.cfg" <<'CFG'
[net]
width=64
height=64
channels=3
batch=4
subdivisions=2
learning_rate=0.004
burn_in=10
max_batches=120
momentum=.9
decay=.0005
mosaic=1
hue=.05
saturation=1.2
exposure=1.2
[convolutional]
batch_normalize=1
filters=6
size=3
stride=2
pad=1
activation=mish
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=12
size=3
stride=2
pad=1
activation=leaky
[convolutional]
filters=20
size=1
activation=linear
[yolo]
mask=0,1
anchors=12,12, 22,24
num=2
classes=5
jitter=.1
random=1
iou_loss=ciou
iou_normalizer=.07
CFG
cd "$work" || exit 1 # default folders are relative

# A run with the test's options in "${base[@]}" that must not begin: one line says why, nothing is written.
refuse() { # NAME REGEX FLAGS...
    try "$1" "$YOLO" train "${base[@]}" --out refused "${@:3}"
    status 2
    one_error "$2"
    out_empty
    holds [ ! -e refused ]
}
