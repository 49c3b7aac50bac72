#!/usr/bin/env bash
# yolo quantize, and --precision int8 of the others: what is written, what is refused, the same bits on any number of
# threads. The arithmetic is tests/unit/test_int8_conv.c's.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
cp "$root/cfg/tabletop.cfg" m.cfg
cp "$root/cfg/tabletop.names" m.names
cp "$root/weights/tabletop.weights" m.weights
model=(--cfg m.cfg --weights m.weights --imgsz 64)
data=$root/data/tabletop/tabletop.data
picture=$(find "$root/data/tabletop/images" -name '*.jpg' | sort | head -n 1)

try "no file yet: how to make it" "$YOLO" detect "$picture" "${model[@]}" --precision int8 --no-save
status 2
one_error 'there is no m\.int8 \(make it with: yolo quantize --cfg m\.cfg --weights m\.weights --data DATA\)'
try "the pictures are needed" "$YOLO" quantize "${model[@]}"
status 2
one_error '--data is missing'
try "a name of another kind" "$YOLO" quantize "${model[@]}" --data "$data" --out m.weights
status 2
one_error '--out m\.weights: a name that ends in \.int8'
holds cmp m.weights "$root/weights/tabletop.weights"
try "no weights" "$YOLO" quantize --cfg m.cfg --weights none --data "$data"
status 2

try "quantize" "$YOLO" quantize "${model[@]}" --data "$data" --pictures 4
status 0
err 'm\.int8: [0-9]+ of 54 convolutions int8, .*calibrated on 4 pictures'
out '^ *0  fp32: first '
out '^ *71  fp32: head '
out '^ *1  int8 .*e-0'
holds cmp m.weights "$root/weights/tabletop.weights"
try "the same bytes on another number of threads" "$YOLO" quantize "${model[@]}" --data "$data" --pictures 4 --out again.int8 --threads 3
status 0
holds cmp m.int8 again.int8
try "as JSON" "$YOLO" quantize "${model[@]}" --data "$data" --pictures 2 --out j.int8 --format json
status 0
json 'v["pictures"] == 2 && v["convolutions"] == 54 && count("^layers\\[[0-9]+\\]\\.layer$") == 54'
try "a list of pictures without labels" sh -c 'printf "%s\n" "$1" >list.txt; shift; "$@"' - "$picture" \
    "$YOLO" quantize "${model[@]}" --data list.txt --out l.int8
status 0
err 'calibrated on 1 pictures'
printf 'no picture\n' >broken.jpg
printf '%s\n' "$picture" "$work/broken.jpg" >list.txt
try "a picture that cannot be read" "$YOLO" quantize "${model[@]}" --data list.txt --out l.int8
status 3
err 'broken\.jpg'
err 'calibrated on 1 pictures'

found() { # THREADS: detections on bytes
    "$YOLO" detect "$root/data/tabletop/images" "${model[@]}" --precision int8 --no-save --format csv --conf .05 --threads "$1" -q
}
try "detect, on 1, 2 and 5 threads" true
found 1 >one.csv
found 2 >two.csv
found 5 >five.csv
holds test "$(wc -l <one.csv)" -gt 3
holds cmp one.csv two.csv
holds cmp one.csv five.csv
try "its own batch mates change nothing" "$YOLO" detect "$root/data/tabletop/images" "${model[@]}" --precision int8 --no-save --format csv --conf .05 --batch 3
status 0
holds cmp one.csv out
try "other figures than in fp32" "$YOLO" detect "$root/data/tabletop/images" "${model[@]}" --no-save --format csv --conf .05
holds test "$(cmp -s one.csv out; echo $?)" -eq 1
try "dump: all layers, those on bytes as values" "$YOLO" dump "$picture" --out layers "${model[@]}" --precision int8
status 0
holds test -s layers/085.npy

try "bench says what it runs" "$YOLO" bench "${model[@]}" --precision int8 --runs 1 --warmup 0
status 0
out 'convolutional +int8 '
out ', int8$'
try "random numbers, of which fewer layers stay fp32" "$YOLO" bench --cfg m.cfg --weights none --imgsz 64 --precision int8 --runs 1 --warmup 0
status 0
out 'convolutional +int8 wino'
try "bench without weights" "$YOLO" bench --cfg m.cfg --weights none --imgsz 64 --precision int8 --runs 1 --warmup 0 --format json
status 0
json 'v["precision"] == "int8"'
try "no training on bytes" "$YOLO" bench "${model[@]}" --precision int8 --train
status 2
one_error '--precision int8 has no effect with --train'
try "eval tells the loss by class" "$YOLO" eval "$data" "${model[@]}" --precision int8
status 0
out '^int8 beside fp32 +AP fp32 +int8 +loss'
out '^sphere '
try "eval, as JSON" "$YOLO" eval "$data" "${model[@]}" --precision int8 --format json
status 0
json 'v["AP_fp32"] > 0 && v["classes[0].AP50_fp32"] >= 0 && count("AP_fp32$") == 6'
try "no network runs with --results" "$YOLO" eval "$data" --results one.csv --precision int8
status 2
one_error '--precision has no effect with --results'

refused() { # NAME FILE PATTERN
    mkdir -p bad
    cp m.weights bad/m.weights
    cp "$2" bad/m.int8
    try "$1" "$YOLO" detect "$picture" --cfg m.cfg --weights bad/m.weights --imgsz 64 --precision int8 --no-save
    status 2
    one_error "$3"
}
size=$(wc -c <m.int8)
head -c $((size - 1)) m.int8 >shortened
refused "a byte is missing" shortened 'm\.int8: is cut or damaged'
head -c $((size / 2)) m.int8 >shortened
refused "half of it is missing" shortened 'm\.int8: is cut or damaged'
: >empty
refused "empty" empty 'm\.int8:1: no file of yolo quantize'
refused "a picture" "$picture" 'm\.int8:1: no file of yolo quantize'
sed '9s/0x1/0x2/' m.int8 >changed
refused "a changed step" changed 'm\.int8: is cut or damaged'
sed '1s/2$/3/' m.int8 >newer
refused "of a newer program" newer 'm\.int8:1: version 3, this program reads 2'

mkdir other
cp m.int8 other/
{ head -c 2000 m.weights; printf '\1'; tail -c +2002 m.weights; } >other/m.weights
try "other weights" "$YOLO" detect "$picture" --cfg m.cfg --weights other/m.weights --imgsz 64 --precision int8 --no-save
status 2
one_error 'other/m\.int8: is of other weights'
awk '!done && /^activation *= *mish/ { sub(/mish/, "leaky"); done = 1 } { print }' m.cfg >n.cfg
try "another network" "$YOLO" detect "$picture" --cfg n.cfg --weights m.weights --imgsz 64 --names m.names --precision int8 --no-save
status 2
one_error 'm\.int8: is of another network than n\.cfg'

# ---- a classifier ----

# shellcheck source=tests/cli/lib_values.sh
. "$root/tests/cli/lib_values.sh"
{
    printf '[net]\nwidth=8\nheight=8\nchannels=1\nbatch=8\nlearning_rate=.02\nmomentum=.9\nmax_batches=40\n'
    for filters in 8 16 8; do
        printf '[convolutional]\nfilters=%d\nsize=3\npad=1\nactivation=leaky\n' $filters
    done
    printf '[connected]\noutput=2\nactivation=linear\n[softmax]\n'
} >three.cfg
prepare "$YOLO" train --data set --cfg three.cfg --iters 40 --out classes --no-pictures -q
prepare "$YOLO" quantize --run classes --data set
try "a classifier is measured on bytes" "$YOLO" eval --run classes --data set --precision int8 --format json
status 0
err 'int8: classes/best\.int8'
json 'v["top1"] >= .8 && v["images"] == 6'
cp out bytes.json
"$YOLO" eval --run classes --data set --format json -q >fp32.json 2>/dev/null
holds test "$(cmp -s bytes.json fp32.json; echo $?)" -eq 1
try "and trained as on bytes" "$YOLO" train --data set --cfg three.cfg --weights classes/last.weights --quantize-aware --iters 6 --out aware --no-pictures
status 0
err '6: int8 top-1 '
holds [ -s aware/best.int8 ]
try "not what gives values" "$YOLO" train --data train.csv --cfg dense.cfg --weights classes/last.weights --quantize-aware --iters 6 --out values
status 2
one_error '--quantize-aware trains detectors and classifiers, dense\.cfg is neither'
finish
