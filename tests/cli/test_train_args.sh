#!/usr/bin/env bash
# What a resumed run reads from args.json is checked as the command line is; --weights none.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
# shellcheck source=tests/cli/lib_train.sh
. "$root/tests/cli/lib_train.sh"

"$YOLO" train --data set/synth.data --cfg tiny.cfg --iters 2 --imgsz 64 --optimizer sgd --freeze 0-0 --out run -q >/dev/null 2>&1
cp run/args.json kept.json

while read -r key value; do
    sed "s/\"$key\":[^,]*/\"$key\": $value/" kept.json >run/args.json
    try "args.json: $key = $value" "$YOLO" train --resume run
    status 2
    one_error "run/args.json: $key: not what .yolo train. writes"
    holds [ "$(cmp kept.json run/args.json >/dev/null; echo $?)" -eq 1 ]
done <<'CASES'
batch -3
batch 2.5
batch 1e99
iters 3000000000
log-every 0
checkpoint-every -1
cache-mb 1e12
seed -1
seed 4294967296
momentum 1.5
decay -2
bn-momentum 7
lr -5
clip-norm 1e999
loader-threads 257
threads 5000
val-every -7
warmup -2
optimizer "sgdd"
imgsz "64x"
imgsz "64x9999999999999"
imgsz "4x64"
freeze 3
CASES
cp kept.json run/args.json
try "as it was" "$YOLO" train --resume run
status 0
# Options that came later say nothing where they were not given, or runs from before them could not go on.
later='^(assign-iou|bn-start|close-mosaic|best|class-weights|jpeg)='
holds test -z "$(grep -aoE "$later" run/last.state)"
sed 's/"jpeg":[^,]*/"jpeg": "turbo"/' kept.json >run/args.json
try "another decoder midway" "$YOLO" train --resume run
status 2
one_error 'cannot be resumed with other options: jpeg was not set, is "turbo"'
cp kept.json run/args.json
try "the other decoder" "$YOLO" train --data set/synth.data --cfg tiny.cfg --iters 1 --imgsz 64 --freeze 0-0 --jpeg turbo --out turbo -q
status 0
holds test "$(grep -aoE "$later.*" turbo/last.state)" = 'jpeg="turbo"'

# ---- --weights none ----

mkdir -p weights cfg
cp tiny.cfg cfg/toy.cfg
cp run/last.weights weights/toy.weights
try "train --model finds weights" "$YOLO" train --data set/synth.data --model toy --dry-run
status 0
out '^start +.*toy.weights'
try "and leaves them where told" "$YOLO" train --data set/synth.data --model toy --weights none --dry-run
status 0
out '^start +random numbers'
try "none of them, by its cfg" "$YOLO" train --data set/synth.data --cfg tiny.cfg --weights none --dry-run
status 0
out '^start +random numbers'
try "detection needs some" "$YOLO" detect set --cfg tiny.cfg --weights none --no-save
status 2
one_error '--weights none: random numbers are for train and bench'
try "info counts without" "$YOLO" info --cfg tiny.cfg --weights none
status 0
out '^parameters  1822 '
printf 'cat\ndog\n' >pets.names
try "init takes what it finds" "$YOLO" init --names pets.names --base toy --out found
status 0
out '--weights .*weights/toy.weights'
try "or nothing" "$YOLO" init --names pets.names --base toy --weights none --out bare
status 0
no_out '--weights'
out 'begins with random numbers, as told'
try "init's page tells of all that changes, and of small sets" "$YOLO" help init
status 0
out 'burn_in'
out 'masks'
out '500'
finish
