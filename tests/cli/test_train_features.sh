#!/usr/bin/env bash
# yolo train --cache-features: the same bytes, said beforehand, within limits, through kills and full disks.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$root/tests/cli/lib_train.sh"

sed 's/random=1/random=0/' tiny.cfg >still.cfg # multi-scale is off where features are kept
"$YOLO" train --data set/synth.data --cfg tiny.cfg --seed 3 --iters 30 --out start -q >/dev/null 2>&1
base=(--data set/synth.data --cfg still.cfg --seed 3 --weights start/last.weights --freeze 0-2 --ema .9
    --val-every 24 -q)

# ---- the same bytes ----

try "three epochs without" "$YOLO" train "${base[@]}" --epochs 3 --out plain
status 0
try "three epochs of three variants" "$YOLO" train "${base[@]}" --epochs 3 --cache-features 3 --out kept --threads 2
status 0
holds cmp plain/last.weights kept/last.weights
holds cmp plain/best.weights kept/best.weights
holds [ ! -e kept/features.cache ]
try "twelve epochs of three variants" "$YOLO" train "${base[@]}" --epochs 12 --cache-features 3 --out twelve
status 0
holds [ ! -e twelve/features.cache ]
mkdir -p loaded/features.cache # no file can be there
try "the same without the file" "$YOLO" train "${base[@]}" --epochs 12 --cache-features 3 --out loaded --threads 2
status 0
err 'features.cache: cannot open.*goes on without a file of features'
holds cmp twelve/last.weights loaded/last.weights
holds cmp twelve/best.weights loaded/best.weights
try "the disk fills up" bash -c "trap '' XFSZ; ulimit -f 400; exec \"\$0\" \"\$@\"" "$YOLO" train "${base[@]}" \
    --epochs 24 --cache-features 20 --out full
status 0
err 'full/features.cache: cannot write.*goes on without features'
holds [ ! -e full/features.cache ]
try "enough room" "$YOLO" train "${base[@]}" --epochs 24 --cache-features 20 --out roomy
status 0
holds cmp full/last.weights roomy/last.weights

long=("${base[@]}" --epochs 80 --cache-features 20 --checkpoint-every 20)
try "a long run" "$YOLO" train "${long[@]}" --out whole
status 0
for round in 1 2; do
    try "kill -9, damage and resume, round $round" true
    "$YOLO" train "${long[@]}" --out "killed$round" >/dev/null 2>&1 &
    for _ in $(seq 1200); do
        [ -e "killed$round/features.cache" ] && break
        sleep 0.02
    done
    sleep "0.$((RANDOM % 5))"
    kill -KILL $! 2>/dev/null
    wait $! 2>/dev/null
    if [ -s "killed$round/features.cache" ]; then
        for _ in 1 2 3; do
            size=$(stat -c %s "killed$round/features.cache")
            printf 'x' | dd of="killed$round/features.cache" bs=1 seek=$((RANDOM * RANDOM % size)) conv=notrunc 2>/dev/null
        done
    fi
    "$YOLO" train --resume "killed$round" -q >/dev/null 2>"$work/err"
    holds cmp whole/last.weights "killed$round/last.weights"
    holds cmp whole/best.weights "killed$round/best.weights"
    holds [ ! -e "killed$round/features.cache" ]
done

# ---- said, and limited ----

loud=("${base[@]:0:${#base[@]}-1}")
try "dry run" "$YOLO" train "${loud[@]}" --cfg tiny.cfg --epochs 30 --cache-features 5 --dry-run
status 0
out '^features  of layer 2: 4.1 KB a picture, 24 pictures x 5 variants = 492 KB in runs/train, .* free$'
out '^features  all pictures at 64x64: no multi-scale'
out '^features +[0-9]+ ms an update'
holds [ ! -e runs ]
try "stages: each its own" "$YOLO" train "${loud[@]}" --out staged \
    --stage "epochs=4 cache-features=2" --stage "freeze=0-1 epochs=4 cache-features=1" --stage "freeze=none epochs=2"
status 0
err '^features  stage 1, of layer 2: '
err '^features  stage 2, of layer 1: '
err '^stage 2 of 3: .* cache-features=1;'
err 'kept in staged/features.cache'
holds [ ! -e staged/features.cache ]
try "gradual: as long as something is frozen" "$YOLO" train --data set/synth.data --cfg still.cfg --seed 3 \
    --weights start/last.weights --unfreeze-every 3 --from heads --epochs 15 --cache-features 2 --out gradual
status 0
err '^features  stage 1, '
no_err '^features  stage 4, '
try "too few epochs to use it" "$YOLO" train "${loud[@]}" --epochs 2 --cache-features 5 --out few
status 0
err 'cache-features=5 keeps the first 5 epochs, but there are only 2.0'
try "all variants the same" "$YOLO" train "${loud[@]}" --epochs 3 --no-augment --cache-features 2 --out same
status 0
err 'cache-features=1 does it'

refuse "over the limit" 'takes 492 MB, the limit is 100 MB \(--cache-features 1017 would fit' \
    --cache-features 5000 --cache-features-gb .1
refuse "not even one" 'not even one variant' --cache-features 2 --cache-features-gb .00005
refuse "over the disk" 'free, of which a tenth is left alone' --cache-features 1000000 --cache-features-gb 1000000 --imgsz 640
refuse "nothing frozen" '--cache-features 2: no layer at the beginning' --freeze none --cache-features 2
refuse "statistics that move" '--cache-features 2: no layer at the beginning' --bn train --cache-features 2
refuse "a stage that cannot" 'stage 2: cache-features=2: no layer at the beginning' \
    --stage "epochs=2" --stage "freeze=none epochs=2 cache-features=2"
refuse "a limit for nothing" '--cache-features-gb limits what --cache-features K keeps' --cache-features-gb 5
refuse "no number" '--cache-features many' --cache-features many

try "a limit for nothing, resumed" "$YOLO" train --resume plain --cache-features-gb 5
status 2
one_error '--cache-features-gb limits what'
try "another limit, resumed" "$YOLO" train --resume twelve --cache-features-gb 5
status 0
try "bench from features" "$YOLO" bench --cfg tiny.cfg --train --freeze 0-2 --cached --batch 2 --runs 3
status 0
out '^features  of layer 2, '
try "bench: nothing frozen" "$YOLO" bench --cfg tiny.cfg --train --cached --runs 1
status 2
one_error 'no layer at the beginning of the network is frozen'
try "bench: no training" "$YOLO" bench --cfg tiny.cfg --cached --runs 1
status 2
one_error '--cached acts only with --train'
finish
