#!/usr/bin/env bash
# yolo train --add-classes: new classes beside old ones, which are not labelled; the proof that nothing of the old ones moved.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$root/tests/cli/lib_train.sh"

prepare "$YOLO" train --data set/synth.data --cfg tiny.cfg --recipe darknet --iters 12 --val-every 6 --out old -q
# Pictures in which only two other shapes are labelled; the base shapes that they show, too, are not.
prepare "$YOLO" synth new --classes target --train 16 --val 6 --size 64x64 --seed 7 -q
printf 'mug\ndie\nbottle\nmushroom\nlamp\n' >want.names
holds_names() { diff want.names new/synth.names >/dev/null; }
prepare holds_names
base=(--data new/synth.data --run old --add-classes --iters 6 --val-every 3)

try "the plan says what keeps and what is added" "$YOLO" train "${base[@]}" --dry-run
status 0
out '^network +old/tiny.cfg, 64x64, 10 classes'
out '^start +old/best.weights, trained for 5 classes$'
out '^kept +all 1822 values of it: layers 0-4 keep still, so 5 classes are found as before$'
out '^added +layers 5-8 for mug die bottle mushroom lamp$'
out '^frozen +layers 0-4.*: 4 of 6 with parameters'
out '^recipe +auto'

try "the run proves that the old values are there" "$YOLO" train "${base[@]}" --out added
status 0
err '^old rows: 1822 values of old/best.weights byte-equal in added/last.weights$'
err '^old rows: 1822 values of old/best.weights byte-equal in added/best.weights$'
holds [ "$(cat added/tiny.names)" = "$(cat set/synth.names want.names)" ]
holds grep -q '^class_range=5,9$' added/tiny.cfg
holds grep -q '^class_range=0,4$' added/tiny.cfg
json 'v["add-classes"] == "true"' added/args.json
holds grep -q ' 0 bytes changed' added/train.log

try "yolo info counts what moves" "$YOLO" info --cfg added/tiny.cfg
status 0
out '^frozen +layers 0-4'

try "the old classes are found as before" "$YOLO" detect new/images/val --run added --classes 0-4 --conf .003 --max-det 100000 --format csv --no-save
status 0
prepare cp "$work/out" new.csv
try "the old classes are found as before" "$YOLO" detect new/images/val --run old --conf .003 --max-det 100000 --format csv --no-save
status 0
holds [ "$(wc -l <"$work/out")" -gt 1 ]
holds cmp -s "$work/out" new.csv

try "the old network on its set" "$YOLO" eval --run old --data set/synth.data --format json
status 0
prepare cp "$work/out" old.json
try "the new network on the old set: classes go by name" "$YOLO" eval --run added --data set/synth.data --format json
status 0
err "5 of the network's 10 classes are none of the classes of"
holds cmp -s "$work/out" old.json
try "and on the new one" "$YOLO" eval --run added --data new/synth.data --format json
status 0
json 'v["classes[0].name"] == "mug"'
printf 'mug\nsphere\n' >two.names
find new/labels -name '*.txt' -exec cp {} {}.bak \;
printf 'classes=2\ntrain=train.txt\nvalid=val.txt\nnames=../none.names\n' >new/none.data
printf 'cup\nball\n' >none.names
find new/labels -name '*.txt' -exec sed -i '/^[2-4]/d' {} +
try "a set none of whose classes is known" "$YOLO" eval --run added --data new/none.data
status 2
one_error 'none of its 2 classes is named like a class of the network'

printf 'classes=2\ntrain=train.txt\nvalid=val.txt\nnames=../two.names\n' >new/two.data
try "boxes of classes that are known already are left out" "$YOLO" train --data new/two.data --run old --add-classes --dry-run
status 0
err 'training pictures: [0-9]+ boxes of classes that are known already are left out'
out '^added +layers 5-8 for mug$'

# Killed and resumed: the bits of the uninterrupted run, and the proof.
long=(--data new/synth.data --run old --add-classes --recipe darknet --lr .001 --warmup 1 --iters 8 --ema .9 --optimizer adamw --checkpoint-every 2 -q)
find new/labels -name '*.bak' -exec sh -c 'cp "$1" "${1%.bak}"' _ {} \;
prepare "$YOLO" train "${long[@]}" --out whole
interrupt_at cut/last.state "$YOLO" train "${long[@]}" --out cut
try "a resumed run ends with the same bytes, and the proof" "$YOLO" train --resume cut
status 0
holds cmp -s cut/last.weights whole/last.weights
err '^yolo: old rows: 1822 values of .*old/best.weights byte-equal in cut/last.weights$|^old rows: 1822 values of .*byte-equal in cut/last.weights$'

# Classes may be added to what has some added already.
printf 'classes=1\ntrain=train.txt\nvalid=val.txt\nnames=../cup.names\n' >new/cup.data
printf 'cup\n' >cup.names
find new/labels -name '*.txt' -exec sed -i '/^[1-4]/d' {} +
try "classes beside added classes" "$YOLO" train --data new/cup.data --run whole --add-classes --iters 2 -q --out again
status 0
holds grep -q '^class_range=10,10$' again/tiny.cfg
holds [ "$(wc -l <again/tiny.names)" -eq 11 ]

mkdir alone && cp old/best.weights alone/w.weights
base=(--data new/cup.data --iters 2 -q)
refuse "no weights" 'beside which classes' --add-classes --cfg tiny.cfg --weights none
refuse "names of the old classes not known" 'weights-names FILE' --add-classes --cfg tiny.cfg --weights alone/w.weights
refuse "two meanings of names" 'could be the old classes or the new' --add-classes --run old --names cup.names
refuse "no new class" 'all 5 classes are known' --add-classes --run old --data set/synth.data
refuse "setting the old layers free" 'keeps layers 0-4 still.*stage 1' --add-classes --run old --freeze none
base=(--data new/cup.data -q)
refuse "setting them free in a stage" 'stage 2 sets layer 0 free' --add-classes --run old --stage "epochs=1" --stage "freeze=none epochs=1"
base=(--data new/cup.data --iters 2 -q)
refuse "statistics that move" 'bn train moves the statistics' --add-classes --run old --bn train
refuse "a plan of stages" 'auto beside --add-classes' --add-classes --run old --freeze auto
sed 's/^mask=0,1//; s/^\[yolo\]/[region]/; s/^iou_.*//; s/^random=1//' tiny.cfg >region.cfg
refuse "a region head" 'region.cfg:[0-9]+: \[region\] layer 4: no classes can be added' --add-classes --cfg region.cfg --weights old/best.weights
finish
