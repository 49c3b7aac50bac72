#!/usr/bin/env bash
# yolo train --quantize-aware: the network that it trains and validates is the one that --precision int8 runs; what it keeps,
# where it goes on, what is refused. Its arithmetic is tests/unit/test_int8_net.c's.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$root/tests/cli/lib_train.sh"
prepare "$YOLO" train --data set/synth.data --cfg tiny.cfg --recipe darknet --iters 120 --out first --no-pictures -q
cp first/last.weights start.weights
base=(--data set/synth.data --cfg tiny.cfg --weights start.weights --quantize-aware --optimizer adamw --lr 3e-4)
short=("${base[@]}" --iters 24 --val-every 8 --checkpoint-every 5 --no-pictures)

# ---- what it says and writes ----

try "the dry run says what is rounded" "$YOLO" train "${short[@]}" --dry-run
status 0
out '^int8 +2 of 4 convolutions train, .*as int8 computes; steps of a calibration on 24 pictures$'
out '^trained .* 0 of 52 statistics follow'
try "its own recipe, whatever the cfg says" "$YOLO" train --data set/synth.data --cfg tiny.cfg --weights start.weights --quantize-aware --dry-run
status 0
out '^  --lr 1e-05 +recipe '
out '^  --epochs 30 +recipe .*at least 60 updates and 5 passes'
out '^  --ema 0 +recipe '
try "a run" "$YOLO" train "${short[@]}" --out one --threads 1
status 0
err 'steps of a calibration on 24 pictures'
err '24: int8 mAP@\.5 '
holds [ -s one/last.int8 ]
holds [ -s one/best.int8 ]
json 'v["quantize-aware"] == "true" && v["bn"] == "eval" && v["recipe"] == "auto"' one/args.json
try "the same bytes on two threads" "$YOLO" train "${short[@]}" --out two --threads 2
status 0
for file in last.weights last.int8 best.weights best.int8; do
    holds cmp one/$file two/$file
done
try "it says the AP of --precision int8" "$YOLO" eval --run one --data set/synth.data --precision int8 --format json
status 0
"$YOLO" eval --run one --data set/synth.data --format json -q 2>/dev/null >fp32.json
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) { if ($i == "map50") { c = i } } next } $c + 0 > 0 && $c > best { best = $c } END { print best }' \
    one/results.csv >said.txt
awk -F'[:,]' '/^\t"AP50":/ { print $2 }' out >found.txt
holds agree 1e-6 said.txt found.txt
holds [ -s said.txt ]
try "statistics of batch norms keep still, weights do not" "$YOLO" diff start.weights one/last.weights --cfg tiny.cfg
status 0
out 'weights'
no_out 'rolling'

# ---- frozen layers, stages ----

try "what is frozen keeps every byte" "$YOLO" train "${short[@]}" --freeze 0-1 --out frozen
status 0
holds [ "$(cell frozen/results.csv frozen_bytes_changed last)" = 0 ]
"$YOLO" diff start.weights frozen/last.weights --cfg tiny.cfg >diff.txt
holds test "$(grep -cE '^ *[01] ' diff.txt)" -eq 0
holds test "$(grep -cE '^ *[23] ' diff.txt)" -gt 0
try "stages" "$YOLO" train "${base[@]:0:7}" --optimizer adamw --stage "freeze=0-1 iters=6 lr=1e-4" \
    --stage "freeze=none iters=6 lr=1e-4 bn=frozen" --out stages --no-pictures
status 0
err 'stage 2 of 2'

# ---- steps from a file ----

prepare "$YOLO" quantize --data set/synth.data --cfg tiny.cfg --weights start.weights --pictures 8
cp start.int8 kept.int8
try "the file beside the weights is taken" "$YOLO" train "${short[@]}" --out taken
status 0
err 'steps of start\.int8'
holds cmp start.int8 kept.int8
tail -n +4 taken/last.int8 | grep -v '^end' >a.txt
tail -n +4 start.int8 | grep -v '^end' >b.txt
holds cmp a.txt b.txt
sed 's/^weights ./weights x/' start.int8 >start.broken
printf 'no quantisation\n' >start.int8
refuse "a file beside the weights that is none" 'start\.int8' --iters 2
"$YOLO" quantize --data set/synth.data --cfg tiny.cfg --weights one/last.weights --pictures 2 --out start.int8 >/dev/null 2>&1
refuse "one of other weights" 'start\.int8.*other weights' --iters 2
rm start.int8

# ---- going on ----

try "interrupted" true
interrupt_at cut/last.state "$YOLO" train "${short[@]}" --out cut
status 130
try "a resumed run ends with the same bytes" "$YOLO" train --resume cut
status 0
for file in last.weights last.int8 best.weights best.int8; do
    holds cmp one/$file cut/$file
done
cp -r one other
cp kept.int8 other/last.int8
try "not with other steps" "$YOLO" train --resume other
status 2
one_error 'cannot be resumed with other options: int8 was '
rm other/last.int8
try "nor without any" "$YOLO" train --resume other
status 2
one_error 'last\.int8'

# ---- what is refused ----

refuse "no weights" 'goes on from trained weights' --weights none
refuse "--bn train" 'does not go with bn=train' --bn train
refuse "bn=auto in a stage" 'does not go with bn=train, nor with bn=auto' --stage "freeze=none iters=2 bn=auto"
refuse "--cache-features" 'does not go with --cache-features' --freeze 0-1 --cache-features 1
refuse "--freeze auto" '--freeze auto beside --quantize-aware' --freeze auto
refuse "--add-classes" 'comes after --add-classes' --add-classes
{
    small_net 4 100
    convolution 8 leaky 2
    small_head 5 '12,12, 22,24'
} >little.cfg
prepare "$YOLO" train --data set/synth.data --cfg little.cfg --recipe darknet --iters 2 --out little --no-pictures -q
base=(--data set/synth.data --cfg little.cfg --weights little/last.weights --quantize-aware)
refuse "nothing to be rounded" 'little\.cfg: no convolution of it can be int8'
prepare "$YOLO" partial --cfg tiny.cfg --weights start.weights --layers 2 --out start.conv.2
base=(--data set/synth.data --cfg tiny.cfg --weights start.conv.2 --quantize-aware)
refuse "weights of which some are missing" 'has none for all of layer'
finish
