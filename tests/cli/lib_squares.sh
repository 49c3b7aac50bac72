# shellcheck shell=bash disable=SC2154 # work and helpers are set by lib.sh
# Sourced by tests of yolo train, behind lib.sh: squares of two sizes and a net that learns them in seconds, both in $work, which
# becomes the working directory: set/two.data, tiny.cfg.
cat >"$work/tiny.cfg" <<'CFG'
[net]
width=64
height=64
channels=3
batch=8
subdivisions=2
learning_rate=0.004
burn_in=10
max_batches=100
momentum=.9
decay=.0005
mosaic=1
hue=.05
saturation=1.2
exposure=1.2
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=mish
[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=24
size=3
stride=2
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=24
size=3
pad=1
activation=leaky
[convolutional]
filters=14
size=1
activation=linear
[yolo]
mask=0,1
anchors=16,16, 26,28
num=2
classes=2
jitter=.1
random=1
scale_x_y=1.05
iou_loss=ciou
iou_normalizer=.07
CFG

prepare "$helpers/squares" "$work/set"
cd "$work" || exit 1 # default folders are relative
