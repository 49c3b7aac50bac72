#!/usr/bin/env bash
# yolo train on a set made on the spot: learning, reproducibility, freezing, resuming, errors.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source=tests/cli/lib_squares.sh
. "$(dirname "$0")/lib_squares.sh"
base=(--data set/two.data --cfg tiny.cfg --seed 3)

# shellcheck disable=SC2317 # reached through holds
below() { # A B: A < B, numbers; false if either is not a number
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a ~ /^[0-9.e+-]+$/ && b ~ /^[0-9.e+-]+$/ && a + 0 < b + 0) }'
}

# ---- a run ----

try "dry run" "$YOLO" train "${base[@]}" --dry-run --freeze 0-1
status 0
out '^length +100 updates of 8 pictures \(2 x 4\)'
out '^frozen +layers 0-1: 2 of 5 with parameters, 1416 values'
out '^estimate +[0-9]+ ms an update'
out '^unfrozen +[0-9]+ ms an update'
out '^valid +not in these times: validation of 4 pictures every 3 updates$'
holds [ ! -e runs ]
try "a run" "$YOLO" train "${base[@]}" --iters 150
status 0
out_is runs/train/exp
err 'yolo detect --run runs/train/exp'
for file in last.weights best.weights last.state results.csv chart.png train.log args.json tiny.cfg tiny.names; do
    holds [ -s "runs/train/exp/$file" ]
done
holds below "$(cell runs/train/exp/results.csv loss last)" 40
holds below "$(cell runs/train/exp/results.csv loss last)" "$(cell runs/train/exp/results.csv loss first)"
holds below 0.2 "$(cell runs/train/exp/results.csv map50 last)"
holds below "$(cell runs/train/exp/results.csv map50_95 last)" "$(cell runs/train/exp/results.csv map50 last)"
holds grep -q ' about 0:[0-9][0-9]:[0-9][0-9] left: .* s an update; [0-9]* MB of memory so far$' runs/train/exp/train.log
try "detect with the run's folder" "$YOLO" detect --run runs/train/exp set/images/00.bmp --no-save
status 0
err 'best.weights, 2 classes'
try "the second run" "$YOLO" train "${base[@]}" --iters 3 -q --show-batch
status 0
out_is runs/train/exp2
holds [ -s runs/train/exp2/batch3_03.jpg ]
try "show-batch alone" "$YOLO" train "${base[@]}" --dry-run --show-batch --out shown
status 0
holds [ -s shown/batch1_00.jpg ]
holds [ ! -e shown/args.json ]
try "learns eight pictures by heart" "$YOLO" train --data set/eight.data --cfg tiny.cfg --iters 700 --batch 8 \
    --no-augment --lr .004 --warmup 50 --lr-policy cosine --bn-momentum .1 --val-every 100 --out eight
status 0
holds [ "$(cell eight/results.csv map50 last)" = 1 ]
holds below "$(cell eight/results.csv loss last)" 3
awk -F, ' # fifths of the run, each below .9 of the one before
    NR == 1 { for (i = 1; i <= NF; i++) { if ($i == "loss") { column = i } } next }
    column && $column != "" { loss[n++] = $column }
    END {
        part = int(n / 5)
        for (i = 0; i < 5; i++) {
            mean[i] = 0
            for (k = 0; k < part; k++) { mean[i] += loss[i * part + k] / part }
            if (i > 0 && !(mean[i] < .9 * mean[i - 1])) { exit 1 }
        }
        exit part == 0
    }' eight/results.csv || fault "the loss does not fall"
try "overfits four pictures" "$YOLO" train --data set/few.data --cfg tiny.cfg --iters 800 --batch 4 \
    --no-augment --lr .004 --warmup 50 --lr-policy cosine --bn-momentum .1 --out over
status 0
err 'no valid= set'
holds [ ! -e over/best.weights ]
holds below "$(cell over/results.csv loss last)" 2.5
"$YOLO" detect --run over set/images/0[0-3].bmp --no-save --format yolo --out found -q 2>/dev/null
for i in 00 01 02 03; do
    LC_ALL=C sort "set/labels/$i.txt" >want
    cut -d' ' -f1-5 "found/labels/$i.txt" | LC_ALL=C sort >got
    holds agree .08 want got
done

# ---- the same bytes ----

try "two runs, one seed; one thread and two" "$YOLO" train "${base[@]}" --iters 60 --ema .99 --out one --threads 1 -q
status 0
"$YOLO" train "${base[@]}" --iters 60 --ema .99 --out two --threads 2 --loader-threads 3 -q >/dev/null
holds cmp one/last.weights two/last.weights
holds cmp one/best.weights two/best.weights
"$YOLO" train "${base[@]}" --seed 4 --iters 60 --ema .99 --out other -q >/dev/null
if cmp -s one/last.weights other/last.weights; then fault "another seed, the same weights"; fi

long=("${base[@]}" --iters 400 --val-every 100 --checkpoint-every 37 --ema .99 -q)
try "the uninterrupted run" "$YOLO" train "${long[@]}" --out whole
status 0
try "SIGINT: saved and resumable" true
interrupt_at stopped/last.state "$YOLO" train "${long[@]}" --out stopped
status 130
holds [ -s stopped/last.state ]
try "resume after SIGINT" "$YOLO" train --resume stopped
status 0
holds cmp whole/last.weights stopped/last.weights
holds cmp whole/best.weights stopped/best.weights
try "SIGHUP, twice: saved and resumable" true
"$YOLO" train "${long[@]}" --out hung >/dev/null 2>"$work/err" &
await hung/last.state
kill -HUP $! && kill -HUP $! 2>/dev/null
wait $!
last_status=$?
status 130
try "resume after SIGHUP" "$YOLO" train --resume hung
status 0
holds cmp whole/last.weights hung/last.weights
rm -r hung
try "resume a finished run" "$YOLO" train --resume stopped
status 0
holds cmp whole/last.weights stopped/last.weights
try "resume the newest" "$YOLO" train --resume
status 0
out_is runs/train/exp2
try "resume with a changed cfg" true
cp -r whole changed
sed -i 's/momentum=.9/momentum=.8/' changed/tiny.cfg
try "resume with a changed cfg" "$YOLO" train --resume changed
status 2
one_error 'cfg'
try "resume with other settings" "$YOLO" train --resume whole --lr .1
status 2
one_error 'unknown option --lr'
try "resume from nothing" "$YOLO" train --resume set
status 1
one_error 'args.json'

try "dry run without validation" "$YOLO" train --data set/few.data --cfg tiny.cfg --dry-run
status 0
no_out '^valid '

# ---- as long as --time says ----

sed '/max_batches/d' tiny.cfg >endless.cfg
timed=(--data set/two.data --cfg endless.cfg --seed 3 --checkpoint-every 20 --val-every 1000000)
try "no length but --time: the plan" "$YOLO" train "${timed[@]}" --time 30m --freeze 0-1 --dry-run
status 0
out '^time +as many updates as fit into 30 minutes: an update takes about [0-9.]+ seconds, a validation [0-9.]+ seconds \(the clock ends the run after 33 minutes\)$'
out '^length +[0-9]{4,} updates of 8 pictures \(2 x 4\), [0-9.]+ epochs$'
out '^rate +0.004, policy constant, warm-up 10 updates, 0.004 at the end; sgd$'
out '^estimate +[0-9]+ ms an update, [0-9.]+ minutes; '
try "no length but --time: features" "$YOLO" train "${timed[@]}" --time .5 --freeze 0-1 --cache-features 2 --dry-run
status 0
out '^estimate +[0-9]+ ms an update, 0.0 minutes; '
out '^features +[0-9]+ ms an update, [0-9.]+ minutes; '
try "no length at all" "$YOLO" train "${timed[@]}" --dry-run
status 2
one_error 'no max_batches in it: how long'
for bad in 2x 1h2h 30m1h h -1h 1h30 '' nan; do
    try "--time $bad" "$YOLO" train "${timed[@]}" --time="$bad" --dry-run
    status 2
    one_error "--time"
done

# The warm-up of 1,000 updates and the steps of the cfg are made to fit, too, and the number is kept.
sed -e 's/max_batches=100/max_batches=100000\npolicy=steps\nsteps=50000,90000\nscales=.1,.1/' -e 's/burn_in=10/burn_in=1000/' tiny.cfg >long.cfg
rows() {
    awk -F, 'NR > 1 && $4 != "" { print $4 }' "$1/results.csv"
}
fitted=("${timed[@]}" --cfg long.cfg --checkpoint-every 1000 --log-every 1 --time 3s)
whole_length() {
    sed -n 's/.*"iters":[^0-9]*\([0-9]*\).*/\1/p' timed/args.json
}
begin_anew() { # FOLDER: the run timed, from its args.json
    cp -r timed "$1"
    rm "$1"/*.weights "$1/last.state" "$1/results.csv"
}
try "--time in place of the cfg's length" "$YOLO" train "${fitted[@]}" --out timed
status 0
updates=$(whole_length)
holds grep -q '"time_fit"' timed/args.json
holds grep -q '"seconds_an_update"' timed/args.json
begin_anew shorter
# On a machine that has become slow since it was measured the clock has ended it; the schedule is kept.
try "resumed, to the end of the schedule" "$YOLO" train --resume timed --time 1h
status 0
err "^$updates updates; the latest"
holds test "$(tail -n 1 timed/results.csv | cut -d, -f1)" -eq "$updates"
holds below .0039 "$(rows timed | sort -g | tail -n 1)"
holds below "$(rows timed | tail -n 1)" 4.1e-5
try "the same number of updates in words" "$YOLO" train "${fitted[@]}" --iters "$updates" --dry-run
status 0
out '^length +'"$updates"' updates'
out '^time +the clock ends the run after 3 seconds; the rate falls by the length'
no_out 'as many updates as fit'

# args.json keeps the number: a run begun anew from it, and ended earlier by another --time, comes to the same bytes.
try "the clock ends it, for good" "$YOLO" train --resume shorter --time .0001
status 0
err 'the time is over after'
holds test "$(tail -n 1 shorter/results.csv | cut -d, -f1)" -lt "$updates"
try "resumed when the time is over" "$YOLO" train --resume shorter --time .0001
status 2
one_error 'shorter: the time is over: it has trained for [0-9.e-]+ hours, and --time is [0-9.e-]+ \(give more: .*--resume shorter --time H\)'
try "resumed with more time" "$YOLO" train --resume shorter --time 1h
status 0
holds cmp timed/last.weights shorter/last.weights

try "not one update" "$YOLO" train "${timed[@]}" --time .00001 --batch 4096 --subdivisions 1024 --out refused
status 2
one_error 'an update takes about .* so not one fits into 0.036 seconds'
holds test ! -e refused
try "stages get their shares" "$YOLO" train "${timed[@]}" --time 2s --stage "freeze=0-1 epochs=1000000" --stage "freeze=none epochs=3000000 lr=.001" --dry-run
status 0
out '^time +the stages take .* hours, so they are cut to [0-9.e-]+ % to fit into 2 seconds: '
lengths=$(awk '/^length/ { print $2 }' "$work/out" | tr '\n' ' ')
holds test "$(echo "$lengths" | awk '{ print (NF == 2 && $2 >= 3 * $1 - 3 && $2 <= 3 * $1 + 3 && $1 > 0 && $1 + $2 < 100000) }')" = 1
try "stages that fit" "$YOLO" train "${timed[@]}" --time 2h --stage "freeze=0-1 iters=3" --stage "freeze=none iters=4 lr=.001" --dry-run
status 0
out '^time +the stages take about .* seconds of 2 hours as they are: '
out '^length +3 updates'
out '^length +4 updates'
try "too long to count" "$YOLO" train "${timed[@]}" --iters 1000000000 --time .0003 --out refused
status 2
one_error '1000000000 updates: too many'

# ---- memory ----

try "more memory than there is" "$YOLO" train "${base[@]}" --batch 65536 --subdivisions 1 --imgsz 1024 --out refused
status 2
one_error 'mini-batches of 65536 take [0-9.e+]+ GB of memory, and [0-9.e+]+ GB are free \(--batch 65536 --subdivisions [0-9]+ takes [0-9.]+ GB\)'
holds test ! -e refused
try "the dry run refuses it, too" "$YOLO" train "${base[@]}" --batch 65536 --subdivisions 1 --imgsz 1024 --dry-run
status 2
one_error 'takes [0-9.]+ GB\)'
large=(--data set/two.data --cfg tiny.cfg --imgsz 640 --batch 32 --subdivisions 1 --no-augment --iters 2 --ema .9 --threads 1)
try "the memory of a run" "$YOLO" train "${large[@]}" --dry-run
status 0
out '^memory +[0-9.]+ GB: parameters [0-9.e-]+, a step [0-9.]+, validation [0-9.]+, pictures [0-9.e-]+; [0-9.]+ GB are free$'
said=$(awk '/^memory/ { print $2 * 1e6 }' "$work/out")
if [ -n "$sanitized" ]; then
    skip "the memory of a run is what was said" "a sanitizer keeps what was freed"
else
    try "the memory of a run is what was said" "$helpers/peak" "$YOLO" train "${large[@]}" --out large
    status 0
    holds awk -v said="$said" -v got="$(cat "$work/out")" 'BEGIN { exit !(got > .7 * said && got < 1.25 * said) }'
fi

# ---- freezing ----

try "frozen layers keep every byte" "$YOLO" train "${base[@]}" --weights one/last.weights --freeze 0-2 \
    --iters 30 --out frozen
status 0
err 'frozen +layers 0-2: 3 of 5'
"$YOLO" diff one/last.weights frozen/last.weights --cfg tiny.cfg --format json >diff.json 2>/dev/null
"$helpers/flat" diff.json | awk -F= '
    /\.layer=/ { layer = $2; layers[layer] }
    /\.bytes_changed=/ && layer != "" && $2 > 0 && $1 ~ /^tensors/ { moved[layer] }
    END {
        for (i = 0; i < 5; i++) { if (!(i in layers) || (i in moved) != (i >= 3)) { exit 1 } }
        for (i in layers) { if (i > 4) { exit 1 } }
    }' || fault "others moved than layers 3 and 4: $("$helpers/flat" diff.json | grep bytes_changed | tr '\n' ' ')"
try "bn eval keeps statistics" "$YOLO" train "${base[@]}" --weights one/last.weights --bn eval --iters 10 \
    --out tuned
status 0
"$YOLO" diff one/last.weights tuned/last.weights --cfg tiny.cfg --format json >diff.json 2>/dev/null
"$helpers/flat" diff.json | awk -F= '
    /\.tensor=/ { tensor = $2; tensors++ }
    /^tensors.*\.bytes_changed=/ && ($2 == 0) != (tensor ~ /rolling/) { bad = 1 }
    END { exit bad || !tensors }' || fault "statistics moved, or others did not"
try "the same by the cfg" true
sed '0,/\[convolutional\]/s//[convolutional]\ntrainable=0/' tiny.cfg >by_cfg.cfg
try "info counts what trains" "$YOLO" info by_cfg.cfg --format json
status 0
out '"frozen":[[:space:]]*232'
try "info --freeze" "$YOLO" info tiny.cfg --freeze 0-1
status 0
out '^ *1 .* 1216 +0 frozen'
out '9086 trainable'
try "info: parts, and their names as sets" "$YOLO" info tiny.cfg --freeze backbone
status 0
out '^backbone +0-3'; out '^neck +none'; out '^head +4-5'
out '^frozen +layers 0-3 \(backbone\)'
try "info: a part and more" "$YOLO" info "$root/cfg/yolov4.cfg" --freeze backbone,107-110
status 0
out '^frozen +layers 0-104,107-110:'
try "info: all but the heads" "$YOLO" info "$root/cfg/yolov4-tiny.cfg" --freeze all-but-heads
status 0
out '^frozen +layers 0-28,31-35 \(all-but-heads\): 19 of 21'
try "train --freeze backbone" "$YOLO" train "${base[@]}" --weights one/last.weights --freeze backbone --dry-run
status 0
out '^frozen +layers 0-3 \(backbone\): 4 of 5'
try "frozen but not loaded" "$YOLO" train "${base[@]}" --freeze 1 --iters 1 --out unloaded
status 0
err 'layer 0 is frozen, but no weights were loaded'
"$YOLO" partial --cfg tiny.cfg --weights one/last.weights --layers 2 --out tiny.conv.2 2>/dev/null
try "a cut weights file" "$YOLO" train "${base[@]}" --weights tiny.conv.2 --iters 2 --out cut
status 0
err '^start +.*tiny.conv.2: layers 0-1; the others random'
try "bench --train" "$YOLO" bench --cfg tiny.cfg --train --freeze 0-1 --batch 2 --runs 3 --format json
status 0
out '"step_ms": *\{"median":'
out '"trainable": *9086'
no_out '"layers"'
try "bench --train --layers" "$YOLO" bench --cfg tiny.cfg --train --layers --freeze 0-1 --batch 2 --runs 3
status 0
out '^ +0  convolutional  [a-z]+ +[0-9x]+ +[0-9]+\.[0-9]+ +0\.000 '
out '^ +4  convolutional  [a-z]+ +[0-9x]+ +[0-9]+\.[0-9]+ +(0*[1-9][0-9]*\.[0-9]+|0\.0*[1-9][0-9]*) '
out '^forward [0-9.]+ ms, losses [0-9.]+, backward [0-9.]+, update [0-9.]+'
try "its numbers" "$YOLO" bench --cfg tiny.cfg --train --layers --batch 2 --runs 2 --format json
status 0
out '"update_ms": *[0-9.]+'
out '"index": *5,'
out '"backward_ms": *[0-9.]+'
try "no training: --layers" "$YOLO" bench --cfg tiny.cfg --layers --runs 1
status 2
one_error '--layers acts only with --train'

# ---- errors ----

refuse() { # NAME REGEX FLAGS...
    try "$1" "$YOLO" train --data set/two.data --cfg tiny.cfg --out refused "${@:3}"
    status 2
    one_error "$2"
    out_empty
    holds [ ! -e refused ]
}

refuse "everything frozen" 'everything is frozen' --freeze 0-5
refuse "a range past the end" 'there is no layer 9: .*layers 0 to 5' --freeze 0-9
refuse "a range backwards" 'ends before it begins' --freeze 3-1
refuse "no set of layers" 'is no set of layers' --freeze 1-x
refuse "a mistyped set" 'no set backbon, did you mean backbone\?.*all-but-heads' --freeze backbon,3
refuse "none among others" 'none stands alone' --freeze none,3
refuse "an empty item" 'is no set of layers' --freeze backbone,
refuse "backbone, neck and head" 'everything is frozen' --freeze all-but-heads,4
refuse "unknown flag" 'did you mean --epochs' --epoch 3
refuse "flag without effect" '--no-mosaic' --no-augment --no-mosaic
refuse "two lengths" '--epochs and --iters' --epochs 1 --iters 3
refuse "too many parts" 'subdivisions' --batch 2 --subdivisions 4
refuse "a positional" 'unexpected' obj.data
refuse "missing .data" '--data none.data: no such file' --data none.data
refuse "missing list" 'set/gone.data:2: .*gone.txt' --data set/gone.data
refuse "missing cfg" 'none.cfg' --cfg none.cfg
refuse "missing weights" 'none.weights' --weights none.weights
sed 's/classes=2/classes=3/' set/two.data >set/three.data
refuse "wrong class count" 'classes=3, but the network of tiny.cfg has 2' --data set/three.data
sed 's/two.names/three.names/' set/two.data >set/names.data
printf 'a\nb\nc\n' >set/three.names
refuse "wrong number of names" '3 names' --data set/names.data
head -c 1000 one/last.weights >short.weights
refuse "a cut-off weights file" 'short.weights' --weights short.weights
sed 's/channels=3/channels=4/' tiny.cfg >four.cfg
refuse "a cfg of four channels" 'four.cfg:4: \[net\] channels: pictures have 3 channels or 1, not 4' --cfg four.cfg
sed 's/^.yolo./[crop]\ncrop_height=4\ncrop_width=4\n&/' tiny.cfg >crop.cfg
refuse "a layer that cannot be trained through" 'crop.* cannot be trained through' --cfg crop.cfg
try "a folder with a run" "$YOLO" train "${base[@]}" --out whole
status 2
one_error 'holds a run already'
mkdir torn
for file in last.weights best.weights results.csv; do
    rm -f torn/*
    cp whole/$file whole/args.json whole/tiny.cfg whole/tiny.names torn/
    try "a folder with $file of a run" "$YOLO" train "${base[@]}" --iters 1 --out torn
    status 2
    one_error "torn: holds $file of a run already: another folder"
    holds cmp whole/$file torn/$file
    holds cmp whole/args.json torn/args.json
    try "resume with $file, but no last.state" "$YOLO" train --resume torn
    status 2
    one_error "torn: last.state is missing.*; $file would be overwritten \\(put it back, or begin another run"
    holds cmp whole/$file torn/$file
    holds cmp whole/args.json torn/args.json
done
rm torn/*
cp whole/args.json whole/tiny.cfg whole/tiny.names torn/
head -n 1 whole/results.csv >torn/results.csv
sed -i 's/"iters":[^,]*/"iters": 1/' torn/args.json
try "resume what was killed before its first checkpoint" "$YOLO" train --resume torn
status 0
holds [ -s torn/last.state ]
try "a folder that cannot be made" "$YOLO" train "${base[@]}" --out tiny.cfg/run
status 1
one_error 'tiny.cfg'
try "a rate that diverges" "$YOLO" train "${base[@]}" --lr 1000 --warmup 0 --iters 50 --out wild
status 4
err 'wild holds the last good state'
holds [ -s wild/last.weights ]
try "where it diverges" "$YOLO" train "${base[@]}" --lr 1000 --warmup 0 --iters 50 --val-every 50 --out wilder
status 4
err '^[0-9]+: layer [0-9]+ \[.*not finite; images set/images/.*, set/images/.*; back to update 0, rate halved'
try "nothing gets better" "$YOLO" train "${base[@]}" --lr 1e-30 --warmup 0 --bn eval --patience 1 --val-every 5 \
    --iters 100 --out idle
status 0
err '^no better mAP@.5 in 1 validations: stage 1 of 1 ends early'
holds [ "$(tail -n 1 idle/results.csv | cut -d, -f1)" -eq 10 ]
try "boxes at a high rate" "$YOLO" train "${base[@]}" --lr .5 --dry-run
status 0
err '^yolo: warning: tiny.cfg:[0-9]+: iou_normalizer 0.07 at a rate of 0.5: boxes may collapse'
try "adam, 20 updates" "$YOLO" train "${base[@]}" --optimizer adam --iters 20 --out adam
status 0
try "--momentum is adam's beta1" "$YOLO" train "${base[@]}" --optimizer adam --momentum .1 --iters 20 --out adam_m
status 0
if cmp -s adam/last.weights adam_m/last.weights; then fault "another --momentum, the same weights"; fi
sed 's/^momentum=/adam=1\nB1=.1\nmomentum=/' tiny.cfg >adam.cfg
try "--momentum is B1 of the cfg" "$YOLO" train "${base[@]}" --cfg adam.cfg --iters 20 --out adam_b
status 0
holds cmp adam_b/last.weights adam_m/last.weights
refuse "a rate of 0" 'lr 0 trains nothing' --lr 0 --iters 2
refuse "a stage's rate of 0" 'lr 0 trains nothing' --stage "lr=0 iters=2"
refuse "averages that never move" 'an average of the weights with a decay of 1 never moves' --ema 1 --iters 2
refuse "adam that never moves" 'adam with a beta1 of 1 never moves' --optimizer adam --momentum 1
try "--val-every without a valid= set" "$YOLO" train --data set/few.data --cfg tiny.cfg --val-every 5 --iters 2 \
    --out unmeasured
status 0
err '^yolo: warning: --val-every has nothing to measure on: set/few.data has no valid= set'
try "--freeze 0 freezes nothing" "$YOLO" train "${base[@]}" --freeze 0 --dry-run
status 0
err 'hint: --freeze 0 is the first 0 layers, so none; layer 0 alone is 0-0'
out '^frozen +layers none:'
try "detector train" "$YOLO" detector train set/two.data tiny.cfg --iters 2 --out darknet -dont_show
status 0
out_is darknet
finish
