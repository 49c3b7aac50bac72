#!/usr/bin/env bash
# Networks of unusual shape: many heads, heads with layers behind them.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1

# Two pictures of noise with boxes of fifty sizes.
for i in 1 2; do
    {
        printf 'P6 32 32 255\n'
        tail -c +$((4000 * i)) "$root/tests/golden/tiny.weights" | head -c 3072
    } >$i.ppm
    for ((k = 0; k < 50; k++)); do
        echo "0 .5 .5 .$((10 + k)) .$((90 - k))"
    done >$i.txt
    echo $i.ppm >>list.txt
done
echo thing >set.names
printf 'train=list.txt\nvalid=list.txt\nnames=set.names\nclasses=1\n' >set.data

net() { printf '[net]\nwidth=32\nheight=32\nchannels=3\nbatch=2\nmax_batches=2\nlearning_rate=.001\n'; }
conv() { printf '[convolutional]\nfilters=%d\nsize=%d\nstride=%d\npad=1\nactivation=%s\n' "$@"; } # FILTERS SIZE STRIDE ACTIVATION
yolo() { printf '[yolo]\nclasses=1\nnum=1\nanchors=8,8\n'; }

# ---- more than sixteen heads ----

{
    net
    conv 4 3 8 leaky
    for ((head = 0; head < 40; head++)); do
        [ $head -eq 0 ] || printf '[route]\nlayers=0\n'
        conv 6 1 1 linear
        yolo
    done
} >forty.cfg
try "forty heads: info" "$YOLO" info forty.cfg
status 0
try "forty heads: bench --train" "$YOLO" bench --cfg forty.cfg --train --runs 1 --warmup 0
status 0
try "forty heads: a dry run" "$YOLO" train --data set.data --cfg forty.cfg --dry-run
status 0
try "forty heads: train" "$YOLO" train --data set.data --cfg forty.cfg --iters 2 --out forty
status 0
holds test -s forty/last.weights
try "forty heads: eval" "$YOLO" eval --data set.data --run forty
status 0
try "forty heads: check" "$YOLO" check set.data --cfg forty.cfg
holds test "$last_status" -ne 2
try "forty heads: anchors" "$YOLO" anchors --data set.data --cfg forty.cfg
status 0
try "forty heads: init" "$YOLO" init --names set.names --base ./forty.cfg --out made
status 0
holds test "$(grep -c '^\[yolo' made/made.cfg)" -eq 40

# ---- a network far larger than this machine ----

# Some 10 GB of activations and 200 MB of packed weights; a sanitizer's own memory knows no limit.
{
    net | sed 's/=32/=16384/'
    conv 16 3 2 leaky
    conv 16 3 1 leaky
    conv 16 3 16 leaky
    conv 1024 3 16 leaky
    conv 1024 3 1 leaky
    conv 6 1 1 linear
    yolo
} >huge.cfg
limit_memory 400000
for format in text json; do
    try "info measures a huge network, $format" "${limited[@]}" timeout 20 "$YOLO" info huge.cfg --format "$format"
    status 0
    out 'winograd'
done
out '"activation_bytes":[[:space:]]*[0-9]{11}'
if [ -z "$sanitized" ]; then
    try "the same network cannot run" "${limited[@]}" "$YOLO" bench --cfg huge.cfg --runs 1 --warmup 0
    status 1
    one_error 'out of memory'
else
    skip "the same network cannot run" "a sanitizer knows no limit of memory"
fi

# ---- direct sums ----

# Winograd's transforms would be taken only by the gradient: of 10 x 10 pixels, from 8 x 8.
{
    net | sed 's/=32/=80/'
    conv 16 3 8 leaky
    conv 16 3 1 leaky | sed 's/pad=1/pad=0/'
    conv 6 1 1 linear
    yolo
} >gradient.cfg
for flag in "" --no-winograd; do
    # shellcheck disable=SC2086 # no flag is no word
    try "train${flag:+ $flag}" "$YOLO" train --data set.data --cfg gradient.cfg --iters 2 --seed 1 $flag --out "gradient$flag"
    status 0
done
holds test "$(cksum <gradient/last.weights)" != "$(cksum <gradient--no-winograd/last.weights)"

# ---- a run that goes on with other kernels ----

# The first says that its updates were another machine's.
try "some updates" "$YOLO" train --data set.data --cfg gradient.cfg --iters 1000000 --val-every 1000000 --time .00001 --out moved
status 0
try "resumed on the same kernels" "$YOLO" train --resume moved --time .0005
status 0
no_err 'kernels'
holds test "$(grep -c isa_changes moved/args.json)" -eq 0
sed -i 's/"isa":[^,}]*/"isa": "neon"/' moved/args.json
told='the run has used neon kernels, this machine uses [a-z0-9]+: it goes on, but not bit for bit'
try "resumed on other kernels" "$YOLO" train --resume moved --time .001 -q
status 0
err "warning: $told"
holds grep -qE "^[0-9 :-]+ $told" moved/train.log
holds grep -q '"isa":.*"neon"' moved/args.json
holds grep -q 'isa_changes' moved/args.json
try "resumed on these again" "$YOLO" train --resume moved --time .0015
status 0
no_err 'kernels'
holds test "$(grep -c 'kernels' moved/train.log)" -eq 1
finish
