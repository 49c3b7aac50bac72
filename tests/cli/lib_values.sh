# shellcheck shell=bash disable=SC2154 # work is set by lib.sh
# Sourced by tests of networks without boxes, behind lib.sh: small data and networks, all in $work, which becomes the
# working directory.
#
#   set/                 class folders left and right, train/ 16 and val/ 6 grey pictures of 10 x 8
#   train.csv, val.csv   64 and 16 rows x, y, x + 2 y; with a header and without
#   net.cfg              a classifier of two, 8 x 8
#   auto.cfg             an autoencoder, 8 x 8
#   dense.cfg            two features, one value
cd "$work" || exit 1

# In awk: draw() is a number in [0, 1), from `state` on (Park and Miller's generator): rand() is each awk's own.
draw='function draw() { state = state * 16807 % 2147483647; return state / 2147483647 }'

picture() { # FILE SEED BRIGHT: 10 x 8 grey pixels, bright at the left or at the right
    mkdir -p "$(dirname "$1")"
    awk -v seed="$2" -v left="$3" "$draw"' BEGIN {
        state = seed * 1000003; print "P2\n10 8\n255"
        for (i = 0; i < 80; i++) { x = i % 10; print int(draw() * 60 + ((x < 5) == left ? 180 : 10)) }
    }' >"$1.p2"
    { printf 'P6\n10 8\n255\n'; awk 'NR > 3 { v = $1; printf "\\%03o\\%03o\\%03o", v, v, v }' "$1.p2" | xargs -0 printf '%b'; } >"$1"
    rm "$1.p2"
}
for i in 1 2 3 4 5 6 7 8; do
    picture set/train/left/$i.ppm $i 1
    picture set/train/right/$i.ppm 1$i 0
done
for i in 1 2 3; do
    picture set/val/left/$i.ppm 2$i 1
    picture set/val/right/$i.ppm 3$i 0
done
cat >net.cfg <<'CFG'
[net]
width=8
height=8
channels=1
batch=8
learning_rate=0.02
momentum=0.9
policy=constant
max_batches=40
min_crop=8
max_crop=9
angle=4
flip=0
[convolutional]
batch_normalize=1
filters=4
size=3
stride=2
pad=1
activation=leaky
[connected]
output=2
activation=linear
[softmax]
CFG

cat >dense.cfg <<'CFG'
[net]
width=1
height=1
channels=2
batch=16
learning_rate=0.02
momentum=0.9
policy=constant
max_batches=300
[connected]
output=8
activation=leaky
[connected]
output=1
activation=linear
[cost]
type=sse
CFG
awk "$draw"' BEGIN { state = 5000015; print "x,y,sum"; for (i = 0; i < 64; i++) { x = draw(); y = draw(); print x "," y "," x + 2 * y } }' >train.csv
awk "$draw"' BEGIN { state = 6000018; for (i = 0; i < 16; i++) { x = draw(); y = draw(); print x "," y "," x + 2 * y } }' >val.csv

sed '/^\[convolutional\]/,$d' net.cfg >auto.cfg
cat >>auto.cfg <<'CFG'
[convolutional]
filters=6
size=3
stride=1
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[upsample]
stride=2
[convolutional]
filters=1
size=3
stride=1
pad=1
activation=logistic
[cost]
type=sse
CFG
