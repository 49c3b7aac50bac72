#!/usr/bin/env bash
# The front door: help, dispatch, options, naming the model, info, partial, diff, dump, bench.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

tiny_cfg=tests/golden/tiny.cfg
tiny_weights=tests/golden/tiny.weights
golden_names=$work/golden.names

classes=$("$YOLO" info --cfg $tiny_cfg --format json 2>/dev/null |
    sed -n 's/.*"classes":[^0-9]*\([0-9]*\).*/\1/p')
for ((i = 0; i < ${classes:-0}; i++)); do echo "thing $i"; done >"$golden_names"

# ---- help and dispatch ----
try "no arguments: the overview" "$YOLO"
status 0; out '^Usage: yolo COMMAND'; out '^  info +'; out '^  bench +'
try "help" "$YOLO" help
status 0; out '^Usage: yolo COMMAND'
try "--help" "$YOLO" --help
status 0; out '^Usage: yolo COMMAND'
try "--version" "$YOLO" --version
status 0; out '^yolo [0-9]+\.[0-9]+\.[0-9]+$'
listed=$("$YOLO" help | sed -n '/^Commands:/,$s/^  \([a-z]*\)  *[a-zA-Z].*/\1/p')
for command in $listed; do
    [ "$command" = help ] && continue
    try "help $command" "$YOLO" help "$command"
    status 0; out "^Usage: yolo $command"; out '^Example:'; out '^  yolo '; out '^Exit codes: '
    out '--help '
    cp "$work/out" "$work/page"
    try "$command --help is the same page" "$YOLO" "$command" --help
    status 0; holds cmp -s "$work/page" "$work/out"
    try "$command: help lines fit 100 columns" awk 'length > 100 { exit 1 }' "$work/page"
    status 0
done
try "alias summary" "$YOLO" summary --help
status 0; out '^Usage: yolo info'
try "unknown command" "$YOLO" bnech
status 2; one_error 'unknown command bnech \(did you mean bench\?\)'; out_empty
try "unknown command, nothing near" "$YOLO" qqqqqq
status 2; one_error 'see: yolo help'
try "Darknet's words: an unknown job" "$YOLO" detector demo cfg/x.data
status 2; one_error 'detector: demo'
try "help freeze: what a frozen layer does" "$YOLO" help freeze
status 0
out '^  yolo train --freeze SET +keep +stored +keep +off$'
out '^  Keras: trainable=False +keep +stored +keep +on$'
holds awk 'length > 100 { exit 1 }' "$work/out"

try "help of an unknown command" "$YOLO" help inof
status 2; one_error 'did you mean info'

# ---- options ----
try "unknown option" "$YOLO" info --imgzs 416 --cfg $tiny_cfg
status 2; one_error 'unknown option --imgzs \(did you mean --imgsz\?\)'; out_empty
try "bad number" "$YOLO" bench --runs many
status 2; one_error '--runs many: is not a whole number'
try "out of range" "$YOLO" bench --runs 0
status 2; one_error '--runs 0: must lie between 1 and'
try "a time out of range" "$YOLO" train --time 0s
status 2; one_error '--time 0s: must lie between 1e-05 and 1e[+]06 hours'
try "missing value" "$YOLO" info --cfg
status 2; one_error '--cfg needs a value'
try "every format of detect is explained" "$YOLO" detect --help
status 0
formats=$(sed -nE 's/^ +--format ([a-z|]+).*/\1/p' "$work/out")
holds test "$(printf '%s' "$formats" | tr '|' '\n' | grep -c .)" -ge 7
for format in ${formats//|/ }; do out "(^  |; )$format(:|  )"; done
try "bad choice" "$YOLO" info --cfg $tiny_cfg --format xml
status 2; one_error 'must be one of text\|json'
try "bad kernels" "$YOLO" info --cfg $tiny_cfg --cpu neon
status 2; one_error 'neon'
try "a word too many" "$YOLO" bench extra.jpg
status 2; one_error 'unexpected extra.jpg'
try "darknet's single dash and key=value" "$YOLO" info -cfg $tiny_cfg format=json
status 0; out '"layers"'
try "quiet" "$YOLO" info --cfg $tiny_cfg -q
status 0; holds [ ! -s "$work/err" ]
try "no colours and no carriage returns off a terminal" "$YOLO" bench --cfg $tiny_cfg --runs 2
status 0
holds [ "$(cat "$work/out" "$work/err" | tr -d '\n\t -~' | LC_ALL=C tr -d '\200-\377' | wc -c)" -eq 0 ]

# ---- stdout ----
if [ -w /dev/full ]; then
    try "full disk on stdout" bash -c "'$YOLO' help >/dev/full"
    status 1; one_error 'No space left'
else
    skip "full disk on stdout" "no /dev/full here"
fi
try "reader leaves" bash -c "set -o pipefail; for i in 1 2 3 4 5 6 7 8; do '$YOLO' info --cfg $tiny_cfg -q | true; done; true"
status 0; holds [ ! -s "$work/err" ]
try "stdout closed" bash -c "'$YOLO' info --cfg $tiny_cfg >&-"
status 1; one_error 'stdout'

# ---- naming the model ----
try "no such cfg" "$YOLO" info --cfg "$work/none.cfg"
status 2; one_error '--cfg .*none.cfg: no such file'
try "model named twice" "$YOLO" info --cfg $tiny_cfg --model yolov4
status 2; one_error 'more than one way'
try "unknown stem" "$YOLO" info --model no-such-model
status 2; one_error 'no cfg/no-such-model.cfg'
mkdir -p "$work/home/cfg" "$work/home/weights" "$work/home/runs/exp" "$work/empty"
cp $tiny_cfg "$work/home/cfg/little.cfg"
cp $tiny_weights "$work/home/weights/little.weights"
cp "$golden_names" "$work/home/weights/little.names"
cp "$YOLO" "$work/home/yolo"
try "a stem, from the working directory" bash -c "cd '$work/home' && '$YOLO' bench --model little --runs 1"
status 0; err 'weights weights/little.weights'; err 'names weights/little.names'
try "a stem, from the program's own folder" bash -c "cd '$work/empty' && '$work/home/yolo' bench --model little --runs 1"
status 0; err "weights $work/home/weights/little.weights"
try "no model at all" bash -c "cp '$YOLO' '$work/empty/yolo' && cd '$work/empty' && ./yolo bench --runs 1"
status 2; one_error 'scripts/get-weights.sh'
cp $tiny_cfg "$work/home/cfg/yolov4-tiny.cfg"
cp $tiny_weights "$work/home/weights/yolov4-tiny.weights"
try "the default: official weights" bash -c "cd '$work/home' && ./yolo bench --runs 1"
status 0; err 'weights weights/yolov4-tiny.weights'
cp $tiny_cfg "$work/home/cfg/tabletop.cfg"
cp $tiny_weights "$work/home/weights/tabletop.weights"
rm "$work/home/weights/yolov4-tiny.weights"
try "the default: the bundled model" bash -c "cd '$work/home' && ./yolo bench --runs 1"
status 0; err 'weights weights/tabletop.weights'
cp $tiny_cfg "$work/home/runs/exp/mine.cfg"
cp $tiny_weights "$work/home/runs/exp/last.weights"
cp "$golden_names" "$work/home/runs/exp/mine.names"
try "a run's folder" "$YOLO" bench --run "$work/home/runs/exp" --runs 1
status 0; err 'exp/last.weights'; err 'exp/mine.names'
cp $tiny_weights "$work/home/runs/exp/best.weights"
try "a run's folder: best goes before last" "$YOLO" bench --run "$work/home/runs/exp" --runs 1
status 0; err 'exp/best.weights'
try "a run's folder without a cfg" "$YOLO" bench --run "$work/empty"
status 2; one_error '0 .cfg files'
try "weights alone: the cfg of the same name beside them" "$YOLO" bench --weights $tiny_weights --runs 1
status 0; err "model: $tiny_cfg"
cp $tiny_weights "$work/orphan.weights"
try "weights alone without a cfg" "$YOLO" bench --weights "$work/orphan.weights"
status 2; one_error 'name it with --cfg'
printf 'classes=2\nnames=golden.names\n' >"$work/set.data"
try "names from a .data file, against its own folder" "$YOLO" bench --cfg $tiny_cfg --data "$work/set.data" --runs 1
status 0; err "names $work/golden.names"
printf 'names=missing.names\n' >"$work/bad.data"
try "a .data file with missing names" "$YOLO" bench --cfg $tiny_cfg --data "$work/bad.data" --runs 1
status 2; one_error 'bad.data:1: names: no such file \(tried .*/missing.names, missing.names\)'
printf 'classes=2\nlabels=data/golden.names\n' >"$work/export.data"
try "labels= are names, and data/ need not be a folder" "$YOLO" bench --cfg $tiny_cfg --data "$work/export.data" --runs 1
status 0; err "names $work/golden.names"
{ cat "$golden_names"; echo one too many; } >"$work/more.names"
try "names that do not fit the classes" "$YOLO" bench --cfg $tiny_cfg --names "$work/more.names" --runs 1
status 2; one_error 'more.names: [0-9]+ names, but the network of .* has [0-9]+ classes'

mkdir -p "$work/folder"
cp $tiny_cfg "$work/folder/net.cfg"
cp $tiny_weights "$work/folder/net.weights"
cp "$work/more.names" "$work/folder/more.names"
cp "$golden_names" "$work/folder/things.names"
try "names under another name beside the cfg" "$YOLO" bench --cfg "$work/folder/net.cfg" --runs 1
status 0; err "^names: $work/folder/things.names, as it is the one list of ${classes:-0} names"
cp "$golden_names" "$work/folder/stuff.names"
try "two lists of names that fit: neither" "$YOLO" bench --cfg "$work/folder/net.cfg" --runs 1
status 0; err 'names none'
cp $tiny_cfg "$work/folder/stuff.cfg"
try "a list of names that is another cfg's" "$YOLO" bench --cfg "$work/folder/net.cfg" --runs 1
status 0; err 'names .*folder/things.names'

# ---- info ----
try "info" "$YOLO" info $tiny_cfg
status 0; out '^layer +kind'; out '^ +0 +convolutional '; out '^parameters +[0-9]+ \('; out '^memory '
out '^arithmetic +[0-9.]+ GFLOP'
try "info as JSON" "$YOLO" info --cfg $tiny_cfg --format json
status 0
size=$(wc -c <$tiny_weights)
each='^layers\\[[0-9]+\\]\\.' # of every layer, in a regex of awk
json "v[\"weights_bytes\"] == $size && v[\"parameters\"] == v[\"trainable\"] + v[\"statistics\"]"
json "total(\"${each}parameters\$\") == v[\"parameters\"]"
json "total(\"${each}trainable\$\") == v[\"trainable\"] && v[\"trainable\"] < v[\"parameters\"]"
json "(total(\"${each}gflop\$\") - v[\"gflop\"]) ^ 2 < (1e-4 * v[\"gflop\"] + 1e-5) ^ 2"
json 'v["memory.activation_bytes"] > 0'
holds diff <(grep "^layers\[[0-9]*\].index=" "$work/flat" | cut -d= -f2) <(seq 0 $(($(grep -c "^layers\[[0-9]*\].index=" "$work/flat") - 1)))
try "info with weights" "$YOLO" info --cfg $tiny_cfg --weights $tiny_weights
status 0; out '^weights .*images seen'
try "info with weights of another network" "$YOLO" info --cfg $tiny_cfg --weights tests/golden/csp.weights
status 2; one_error 'csp.weights'
try "info at another size" "$YOLO" info --cfg $tiny_cfg --imgsz 64x96
status 0; out '^input +64 x 96 x '

# ---- partial and diff ----
try "partial" "$YOLO" partial --cfg $tiny_cfg --weights $tiny_weights --layers 2 --out "$work/two.weights"
status 0; out_empty
holds [ "$(wc -c <"$work/two.weights")" -lt "$size" ]
try "partial in Darknet's order" "$YOLO" partial $tiny_cfg $tiny_weights "$work/two-b.weights" 2
status 0; holds cmp -s "$work/two.weights" "$work/two-b.weights"
try "partial: the values are those of the original" \
    bash -c "cmp <(tail -c +21 '$work/two.weights') <(tail -c +21 $tiny_weights | head -c \$((\$(wc -c <'$work/two.weights') - 20)))"
status 0
# a file that has seen images: the 64-bit count stands at byte 12
cp $tiny_weights "$work/seen.weights"
printf '\007\001\000\000' | dd of="$work/seen.weights" bs=1 seek=12 conv=notrunc 2>/dev/null
try "info: images seen" "$YOLO" info --cfg $tiny_cfg --weights "$work/seen.weights"
status 0; out 'layers, 263 images seen'
try "partial of a trained file" "$YOLO" partial $tiny_cfg "$work/seen.weights" "$work/two.weights" 2
status 0
try "partial: images seen is 0" bash -c "head -c 20 '$work/two.weights' | tail -c 8 | od -An -tu8 | tr -d ' '"
out_is 0
try "partial: too many layers" "$YOLO" partial --cfg $tiny_cfg --weights $tiny_weights --layers 999 --out "$work/x"
status 2; one_error '--layers 999: .* has [0-9]+ layers'; holds [ ! -e "$work/x" ]
try "partial: beyond the end of the file" "$YOLO" partial $tiny_cfg "$work/two.weights" "$work/x" 5
status 2; one_error 'ends after its first'; holds [ ! -e "$work/x" ]
cp $tiny_weights "$work/source.weights"
ln -sf "$work/source.weights" "$work/link.weights"
for target in source link; do
    try "partial: onto its own source ($target)" "$YOLO" partial $tiny_cfg "$work/source.weights" "$work/$target.weights" 2
    status 2; one_error 'would overwrite an input'; holds cmp -s $tiny_weights "$work/source.weights"
done
try "partial: a missing option" "$YOLO" partial --cfg $tiny_cfg --layers 2
status 2; one_error '--weights FILE is missing'
try "partial: folder that is not there" "$YOLO" partial $tiny_cfg $tiny_weights "$work/none/x" 2
status 1; one_error 'none/x'
try "diff: the same file" "$YOLO" diff $tiny_weights $tiny_weights --cfg $tiny_cfg
status 0; out '^total: [0-9]+ values, 0 changed, 0 bytes changed, max abs difference 0$'
cp $tiny_weights "$work/changed.weights"
# the first bias (header of 20 bytes) becomes 1024: 0x44800000
printf '\000\000\200\104' | dd of="$work/changed.weights" bs=1 seek=20 conv=notrunc 2>/dev/null
try "diff: one value" "$YOLO" diff $tiny_weights "$work/changed.weights" --cfg $tiny_cfg
status 0; out '^ +0 +convolutional +biases .* 1 changed'; out '^total: .*, 1 changed, [1-4] bytes changed, max abs'
try "diff: one value as JSON" "$YOLO" diff $tiny_weights "$work/changed.weights" --cfg $tiny_cfg --format json
status 0
json 'v["total.changed"] == 1 && 1000 < v["total.max_abs"] && v["total.max_abs"] < 1050'
json 'any("tensors", "tensor", "biases", "changed", 1) && v["tensors[0].layer"] == 0'
json 'total("^tensors\\[[0-9]+\\]\\.changed$") == 1'
json "total(\"^tensors\\\\[[0-9]+\\\\]\\\\.count\$\") == v[\"total.count\"] && v[\"total.count\"] == ($size - 20) / 4"
try "diff without a cfg" "$YOLO" diff $tiny_weights "$work/changed.weights"
status 0; out 'images seen'; out '^total: .*, 1 changed'
printf '\000\000\300\177' | dd of="$work/changed.weights" bs=1 seek=20 conv=notrunc 2>/dev/null
try "diff: not a number against a number" "$YOLO" diff $tiny_weights "$work/changed.weights"
status 0; out 'max abs difference inf'
# as PyTorch ports write it: the long header under version 0.0
{ head -c 12 /dev/zero && tail -c +13 $tiny_weights; } >"$work/port.weights"
for cfg in "" "--cfg $tiny_cfg"; do
    # shellcheck disable=SC2086 # several words
    try "diff: a header of another length than its version's ${cfg% *}" "$YOLO" diff "$work/port.weights" $tiny_weights $cfg
    status 0; out '^total: [0-9]+ values, 0 changed'; err 'port.weights: version 0.0 .*by its size this file has one of 20'
    holds test "$(grep -o '[0-9]* images seen' "$work/out" | uniq | wc -l)" -eq 1
done
try "diff: other sizes" "$YOLO" diff $tiny_weights tests/golden/csp.weights
status 2; one_error 'sizes differ'
try "diff: other lengths of one network" "$YOLO" diff $tiny_weights "$work/two.weights" --cfg $tiny_cfg
status 2; one_error 'sizes differ'
try "diff: one file only" "$YOLO" diff $tiny_weights
status 2; one_error 'two .weights files are needed, 1 given'
# The names of parts are the same for init and for --data.
for part in train/1 train/2 test/3; do
    mkdir -p "$work/parted/${part%/*}ing"
    cp "data/tabletop/images/val/00000$((${part#*/} - 1)).jpg" "data/tabletop/labels/val/00000$((${part#*/} - 1)).txt" "$work/parted/${part%/*}ing"
done
try "a folder of training and testing" "$YOLO" eval "$work/parted" --imgsz 96
status 0; err 'parted/testing: 1 image, '
try "a folder of training and testing: the part to train on" "$YOLO" anchors "$work/parted" --num 2
status 0; out '^8 boxes of 2 pictures '

# A file or folder that an option names and that is not there is a wrong command line, whichever it is.
none=$work/none.x picture=data/tabletop/images/val/000001.jpg
while read -r option what words; do
    # shellcheck disable=SC2086 # several words
    try "${words%% *}: --$option names nothing" "$YOLO" $words --$option "$none"
    status 2; one_error "--$option $none: no such $what"; out_empty
done <<END
cfg file diff $tiny_weights $tiny_weights
cfg file check data/tabletop/tabletop.data
cfg file anchors data/tabletop/tabletop.data
annotations file detect $picture --no-save --format coco
annotations file convert data/tabletop/val.txt --names data/tabletop/tabletop.names --out $work/convert.json
names file convert data/tabletop/val.txt --out $work/convert.json
images folder convert tests/golden/metrics/truth.json --out $work/convert
images folder eval tests/golden/metrics/truth.json
run folder detect $picture --no-save
run folder eval
resume folder train
END
try "diff: no such file" "$YOLO" diff $tiny_weights "$work/none.weights"
status 2; one_error 'none.weights: no such file'

# ---- dump ----
read -r width height channels < <("$YOLO" info --cfg $tiny_cfg -q |
    sed -n 's/^input *\([0-9]*\) x \([0-9]*\) x \([0-9]*\) .*/\1 \2 \3/p')
layers=$("$YOLO" info --cfg $tiny_cfg -q | grep -cE '^ +[0-9]+  ')
write_npy() { # FILE SHAPE FLOATS: zeros
    local header="{'descr': '<f4', 'fortran_order': False, 'shape': $2, }"
    printf '\223NUMPY\001\000v\000%-117s\n' "$header" >"$1"
    head -c $(($3 * 4)) /dev/zero >>"$1"
}
floats=$((width * height * channels))
write_npy "$work/in.npy" "($channels, $height, $width)" $floats
write_npy "$work/batch.npy" "(2, $channels, $height, $width)" $((2 * floats))
try "dump an array" "$YOLO" dump "$work/in.npy" --cfg $tiny_cfg --weights $tiny_weights --out "$work/dump"
status 0; out_empty
holds [ "$(find "$work/dump" -name '[0-9][0-9][0-9].npy' | wc -l)" -eq "$layers" ]
holds [ "$(wc -c <"$work/dump/input.npy")" -eq $((128 + 4 * floats)) ]
try "dump a batch" "$YOLO" dump "$work/batch.npy" --cfg $tiny_cfg --weights $tiny_weights --out "$work/dump2"
status 0
holds [ "$(wc -c <"$work/dump2/input.npy")" -eq $((128 + 8 * floats)) ]
# zeros twice: both images of the batch, and the single one, are the same bits
one=$(($(wc -c <"$work/dump/000.npy") - 128))
holds cmp -s <(tail -c $one "$work/dump/000.npy") <(tail -c $one "$work/dump2/000.npy")
holds cmp -s <(tail -c $one "$work/dump/000.npy") <(tail -c +129 "$work/dump2/000.npy" | head -c $one)
try "dump its own input again" "$YOLO" dump "$work/dump/input.npy" --cfg $tiny_cfg --weights $tiny_weights --out "$work/dump3"
status 0; holds diff -r "$work/dump" "$work/dump3"
equals_torch() { # NAME LIMIT FLAGS...
    local dump="$work/dump of $1${3:-}"
    prepare "$YOLO" dump "$work/golden.npy" --cfg "tests/golden/$1.cfg" --weights "tests/golden/$1.weights" --out "$dump" \
        -q "${@:3}"
    try "dump equals PyTorch: $1 ${3:-}" "$helpers/dump_golden" compare "tests/golden/$1.golden" "$dump" "$2"
    status 0; out '^[0-9]+ layers, worst'
}
for golden in tests/golden/*.golden; do
    name=$(basename "$golden" .golden)
    prepare "$helpers/dump_golden" input "$golden" "$work/golden.npy"
    equals_torch "$name" 1e-4 --no-winograd
    equals_torch "$name" 1e-3
done
bad_npy() { # NAME FILE REGEX
    try "dump: $1" "$YOLO" dump "$2" --cfg $tiny_cfg --weights $tiny_weights --out "$work/never"
    status 2; one_error "$3"; holds [ ! -e "$work/never" ]
}
write_npy "$work/small.npy" "($channels, 8, 8)" $((channels * 64))
bad_npy "an array of another size" "$work/small.npy" 'try --imgsz 8x8'
write_npy "$work/flat.npy" "(12,)" 12
bad_npy "an array of one dimension" "$work/flat.npy" 'shape must be'
write_npy "$work/short.npy" "($channels, $height, $width)" 7
bad_npy "an array that is cut off" "$work/short.npy" '28 bytes of data do not fit'
write_npy "$work/huge.npy" "(16777216, 16777216, 16777216, 16777216)" 1
bad_npy "a shape that overflows" "$work/huge.npy" 'do not fit'
write_npy "$work/negative.npy" "(-1, 3, 4)" 1
bad_npy "a negative shape" "$work/negative.npy" 'shape must be'
sed "s/'<f4'/'<f8'/" "$work/in.npy" >"$work/double.npy"
bad_npy "doubles that are half as many" "$work/double.npy" 'do not fit'
sed "s/'<f4'/'<i4'/" "$work/in.npy" >"$work/int.npy"
bad_npy "integers" "$work/int.npy" 'only float32'
sed 's/False/True /' "$work/in.npy" >"$work/fortran.npy"
bad_npy "Fortran order" "$work/fortran.npy" 'only C order'
head -c 60 "$work/in.npy" >"$work/cut.npy"
bad_npy "a header that is cut off" "$work/cut.npy" 'cut off'
echo nonsense >"$work/no.npy"
bad_npy "not an array" "$work/no.npy" 'not a .npy file'
try "dump without --out" "$YOLO" dump "$work/in.npy" --cfg $tiny_cfg
status 2; one_error '--out DIR is missing'
try "dump without weights" "$YOLO" dump "$work/in.npy" --cfg "$work/home/runs/exp/mine.cfg" --out "$work/never"
status 2; one_error 'name them with --weights'
try "dump of a picture that is not there" "$YOLO" dump "$work/none.jpg" --cfg $tiny_cfg --weights $tiny_weights --out "$work/never"
status 2; one_error 'none.jpg: no such file'
try "dump of a folder" "$YOLO" dump "$work" --cfg $tiny_cfg --weights $tiny_weights --out "$work/never"
status 2; one_error 'is a folder'

# ---- bench ----
try "bench" "$YOLO" bench --cfg $tiny_cfg --runs 3 --warmup 1
status 0; out '^layer +kind +algorithm'; out '^infer .* ms median'; out '^rate '; out '^peak +[1-9][0-9.]* GFLOP/s on .'; out '^memory .* MB: packed weights .*; peak rss'
try "bench as JSON" "$YOLO" bench --cfg $tiny_cfg --runs 3 --batch 2 --threads 1 --format json
status 0
for key in model imgsz batch threads processor isa gflop infer_ms gflops peak_gflops peak_rss_mb layers; do
    json "\"$key\" in members"
done
json "v[\"model\"] == \"tiny\" && v[\"batch\"] == 2 && v[\"threads\"] == 1 && count(\"${each}index\$\") == $layers"
json '0 < v["infer_ms.min"] && v["infer_ms.min"] <= v["infer_ms.median"] && v["infer_ms.median"] <= v["infer_ms.max"]'
for key in index kind algorithm ms gflops; do
    json "count(\"${each}$key\$\") == $layers"
done
json '(v["gflops"] - v["gflop"] * 2e3 / v["infer_ms.median"]) ^ 2 <= (0.02 * v["gflops"] + 0.01) ^ 2'
json 'v["peak_rss_mb"] > 1'
json 'v["peak_gflops"] > 0.1'
cp $tiny_cfg "$work/lonely.cfg"
try "bench without weights: random ones" "$YOLO" bench --cfg "$work/lonely.cfg" --runs 1
status 0; err 'random numbers stand in'
try "bench on plain kernels" "$YOLO" bench --cfg $tiny_cfg --runs 1 --cpu scalar --no-winograd --format json
status 0; out '"isa": ?"scalar"'; no_out 'winograd'

finish
