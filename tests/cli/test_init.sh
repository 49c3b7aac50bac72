#!/usr/bin/env bash
# yolo init: from names and a base network to a folder that trains; nothing is ever replaced.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$work" || exit 1
ln -s "$root/cfg" cfg # the bundled networks, wherever the program lies
ln -s "$root/weights" weights
printf 'cat\ndog\nhorse\n' >my.names
prepare "$YOLO" synth set --train 12 --val 4 --size 96x96 -q
cp set/synth.names five.names

# shellcheck disable=SC2317 # called through holds
changes() { # BASE NEW REGEX...: the lines of NEW that are not in BASE match these, in order, and no others
    local base=$1 new=$2 line
    shift 2
    while IFS= read -r line; do
        [[ $line =~ ^\>\ \# ]] && continue # the note at the top
        [[ $line =~ ^\>\ $1$ ]] || return 1
        shift
    done < <(diff "$base" "$new" | grep '^>')
    [ $# -eq 0 ]
}

# shellcheck disable=SC2317 # called through holds
diff_applies() { # BASE NEW: the printed diff turns one into the other
    cp "$1" patched.cfg
    sed -n '/^---/,/^$/p' "$work/out" | patch -s patched.cfg - && cmp patched.cfg "$2"
}

# ---- names and a base, no pictures yet ----
tiny=$root/cfg/yolov4-tiny.cfg
try "names and a base" "$YOLO" init --recipe darknet --names my.names --base yolov4-tiny
status 0
out '^\+max_batches = 6000'; out '^@@ -[0-9]+ \+[0-9]+ @@ \[yolo\]'; out '^-filters = 255'; out '^\+filters = 24'
out 'yolo train --data my/my.data --cfg my/my.cfg'; out 'yolo partial .*--layers 29 --out yolov4-tiny.conv.29'
out 'list yours.*my/train.txt'
holds changes "$tiny" my/my.cfg 'burn_in = 600' 'max_batches = 6000' 'steps = 4800, 5400' 'filters = 24' 'classes = 3' \
    'filters = 24' 'classes = 3' 'mask = 0,1,2'
if command -v patch >/dev/null; then holds diff_applies "$tiny" my/my.cfg; fi
holds test "$(grep -c '^#' my/my.cfg)" -eq $(($(grep -c '^#' "$tiny") + 2))
holds cmp my.names my/my.names
holds test ! -e my/stages.json
holds diff my/my.data - <<'END'
classes = 3
train = train.txt
valid = valid.txt
names = my.names
backup = backup
END
try "what it made is a network for the classes" "$YOLO" info my/my.cfg
status 0; out '^classes +3$'
find my -type f -exec cksum {} + >sums
try "nothing is replaced" "$YOLO" init --recipe darknet --names my.names --base yolov4
status 2; one_error 'my/my.cfg: exists'; out_empty
holds diff sums <(find my -type f -exec cksum {} +)
# shellcheck disable=SC2016 # expanded by the inner shell
try "one file in the way is enough" env -C "$work" sh -c 'mkdir taken && touch taken/taken.names &&
    exec "$0" init --recipe darknet --names my.names --base yolov4-tiny --out taken' "$YOLO"
status 2; one_error 'taken/taken.names: exists'; holds test ! -e taken/taken.cfg
try "a folder with a dot, and a slash at the end" "$YOLO" init --recipe darknet --names my.names --base yolov4-tiny --out a.b/
status 0; holds test -s a.b/a.b.cfg

# ---- pictures and stages ----
try "pictures, stages, weights" "$YOLO" init --recipe darknet --names five.names --base tabletop --data-dir set --freeze backbone \
    --out run1 --batch 4
status 0
out '^pictures +12 to train on, with [0-9]+ boxes$'
out '^length +900 updates of 4 pictures: 300 passes'
out '--weights [^ ]*weights/tabletop.weights --stages run1/stages.json$'
holds grep -qx "train = $work/set/train.txt" run1/run1.data
holds grep -qx "valid = $work/set/val.txt" run1/run1.data
holds diff run1/stages.json - <<'END'
[
  {"freeze": "backbone", "epochs": 30, "lr": 0.004, "policy": "cosine", "warmup": 9},
  {"freeze": "none", "bn": "eval", "epochs": 70, "lr": 0.0004, "policy": "cosine", "warmup": 9}
]
END
try "the set it names is faultless" "$YOLO" check --data run1/run1.data --cfg run1/run1.cfg
out '^summary: 0 errors'
try "what it wrote trains" "$YOLO" train --data run1/run1.data --cfg run1/run1.cfg \
    --weights "$root/weights/tabletop.weights" --freeze backbone --imgsz 64 --dry-run
status 0; out '^frozen +layers 0-46 \(backbone\)'
if "$YOLO" help train | grep -q -- '--stages'; then
    try "the plan it wrote is one" "$YOLO" train --data run1/run1.data --cfg run1/run1.cfg \
        --weights "$root/weights/tabletop.weights" --stages run1/stages.json --imgsz 64 --dry-run
    status 0
fi
try "a .data file" "$YOLO" init --recipe darknet --data set/synth.data --base yolov3-tiny --out run2 --epochs 7 --batch 8
status 0; holds grep -qx 'max_batches = 14' run2/run2.cfg; holds grep -qx 'names = run2.names' run2/run2.data
try "as long as train makes it" "$YOLO" train --data run2/run2.data --cfg run2/run2.cfg --imgsz 64 --epochs 7 --dry-run
status 0; out '^length +14 updates of 8 pictures'
for batch in 5 7 12; do
    try "--epochs: the updates of train, batch $batch" "$YOLO" init --recipe darknet --data set/synth.data --base tabletop \
        --epochs 3 --batch $batch --subdivisions 2 --out "parts$batch"
    status 0
    length=$(grep -oE '[0-9]+ updates of [0-9]+ pictures' out)
    "$YOLO" train --data "parts$batch/parts$batch.data" --cfg "parts$batch/parts$batch.cfg" --imgsz 64 --epochs 3 \
        --dry-run >trained 2>/dev/null
    holds test "$length" = "$(grep -oE '[0-9]+ updates of [0-9]+ pictures' trained)"
done
try "a folder of pictures is divided" "$YOLO" init --recipe darknet --names five.names --base yolov4-tiny --data-dir set/images/train \
    --out run3 --split .25 --freeze 0-10,12
status 0; out '^pictures +9 to train on.*; 3 set aside'
holds test "$(cat run3/train.txt run3/valid.txt | sort -u | wc -l)" -eq 12
holds test "$(wc -l <run3/valid.txt)" -eq 3
holds grep -q '"freeze": "0-10,12"' run3/stages.json
cp run3/valid.txt before.txt
cp set/images/train/000000.jpg set/images/train/zzz.jpg
try "others that join move nobody to train" "$YOLO" init --recipe darknet --names five.names --base yolov4-tiny \
    --data-dir set/images/train --out run4 --split .25
status 0; holds test "$(comm -23 <(sort before.txt) <(sort run4/valid.txt) | wc -l)" -le 1
rm set/images/train/zzz.jpg
try "no division" "$YOLO" init --recipe darknet --names five.names --base yolov4-tiny --data-dir set/images/train --out run5 --split 0
status 0; out 'none to validate on'; holds test ! -e run5/valid.txt
mkdir -p robo/train robo/valid
ln -s ../../set/images/train robo/train/images
ln -s ../../set/images/val robo/valid/images
try "the folders of a Roboflow export" "$YOLO" init --recipe darknet --names five.names --base yolov4-tiny --data-dir robo --out run6
status 0; holds grep -q '^valid = .*set/images/val$' run6/run6.data
# ---- parts by other names ----
set_aside() { # NAME TRAIN VALID: what init finds in parts/NAME
    try "parts: $1" "$YOLO" init --recipe darknet --names five.names --base yolov4-tiny --data-dir "parts/$1" --out "parts-$1"
    status 0
    holds grep -q "^train = .*/parts/$1/$2\$" "parts-$1/parts-$1.data"
    holds grep -q "^valid = .*/parts/$1/$3\$" "parts-$1/parts-$1.data"
}
put_in() { # FOLDER PICTURE...: with their labels
    mkdir -p "$1"
    for name in "${@:2}"; do
        cp "set/images/train/$name.jpg" "set/labels/train/$name.txt" "$1/"
    done
}
put_in parts/flat/train 000000 000001 000002
put_in parts/flat/valid 000003
put_in parts/flat/test 000004
set_aside flat train valid
err 'parts/flat/test: neither trained nor validated on'
put_in parts/coco/images/train2017 000000 000001
put_in parts/coco/images/val2017 000003
set_aside coco images/train2017 images/val2017
put_in parts/case/Train 000000 000001
put_in parts/case/Val 000003
put_in parts/case/spare 000005
set_aside case Train Val
err 'parts/case: spare: pictures that are not used'
put_in parts/half/train/images 000000 000001
put_in parts/half/validation 000003
set_aside half train/images validation
put_in parts/deep/unpacked/obj_train_data 000000 000001
put_in parts/deep/unpacked/obj_valid_data 000003
set_aside deep unpacked/obj_train_data unpacked/obj_valid_data
mkdir -p parts/lists
for part in Train2017 Val2017; do printf '%s\n' "$PWD"/set/images/train/*.jpg >"parts/lists/$part.txt"; done
set_aside lists Train2017.txt Val2017.txt
put_in parts/two/train2014 000000
put_in parts/two/train2017 000001
put_in parts/two/val2017 000002
put_in parts/alone 000000 000001
put_in parts/alone/val 000003
put_in parts/nested/a/train 000000
put_in parts/nested/a/val 000001
put_in parts/nested/b/train 000002
put_in parts/bare/train 000000 000001
mkdir parts/bare/valid
try "a part without pictures" "$YOLO" init --recipe darknet --names five.names --base yolov4-tiny --data-dir parts/bare --out bare
status 0; err 'parts/bare: valid: no pictures in it'
put_in parts/folds/fold1 000000 000001
put_in parts/folds/fold2 000002 000003
try "parts that nobody knows" "$YOLO" init --recipe darknet --names five.names --base yolov4-tiny --data-dir parts/folds --out folds
status 0; err 'parts/folds/fold1 looks like a part'
try "classes that the names do not cover" "$YOLO" init --recipe darknet --names my.names --base yolov4-tiny --data-dir set --out run7
status 0; err 'boxes of classes that the 3 names do not cover'
try "new anchors" "$YOLO" init --recipe darknet --names five.names --base yolov4-tiny --data-dir set --out run8 --anchors new
status 0; out '^anchors +(keep the old|take the new)'; out '^\+anchors = '
try "anchors of loaded weights" "$YOLO" init --names five.names --base tabletop --data-dir set --out run8loaded --imgsz 96
status 0; out '^anchors +the base.s: its weights know them'; no_out '^\+anchors = '
try "new anchors, another size" "$YOLO" init --recipe darknet --names five.names --base yolov4-tiny --data-dir set --out run8small --imgsz 96 --anchors new
status 0; out '^\+anchors = '
cp run8small/*.cfg resized.cfg
sed -i 's/^width *=.*/width=96/; s/^height *=.*/height=96/' run8/*.cfg # the same boxes on another input
"$YOLO" anchors run8/run8.data --cfg run8/run8.cfg >direct.txt # finds them for it
holds grep -qF "$(sed -n 's/^anchors = //p' resized.cfg | head -1)" direct.txt
try "a cfg by path, and its weights" "$YOLO" init --recipe darknet --names my.names --base "$root/tests/golden/tiny.cfg" \
    --weights "$root/tests/golden/tiny.weights" --out run9
status 0; out '--weights [^ ]*tests/golden/tiny.weights'
printf 'my names\n' >'my own.names'
try "blanks in names are quoted" "$YOLO" init --recipe darknet --names 'my own.names' --base yolov4-tiny
status 0; out "--data 'my own/my own.data'"
head -c 3000000 "$root/weights/tabletop.weights" >short.weights
try "frozen layers that weights lack" "$YOLO" partial --cfg "$root/cfg/tabletop.cfg" \
    --weights "$root/weights/tabletop.weights" --layers 20 --out tabletop.conv.20
status 0
try "are warned about" "$YOLO" init --recipe darknet --names my.names --base tabletop --weights tabletop.conv.20 --freeze backbone \
    --out run10
status 0; err 'layer [0-9]+ is in --freeze backbone, but tabletop.conv.20 ends before it'

# ---- every bundled network ----
# ---- which base ----

try "no base is said: by the pictures" "$YOLO" init --names five.names --data-dir set --imgsz 96 --out chosen
status 0
out '^base +yolov4-tiny(-3l)?, by 12 pictures, [0-9]+ cores and [0-9.]+ GB \(--base STEM overrules it\)$'
out '^  yolov4-tiny +[0-9.]+ +[0-9.]+ M +16 +[0-9]+ % +[0-9]+ min '
out '^  yolov4 +[0-9.]+ +[0-9.]+ M +8 .* no weights/yolov4.weights here, and from nothing it wants many more pictures$'
out '^  tabletop .*$'
holds test "$(grep -c '% .* chosen' "$work/out")" = 1
chosen=$(awk '/% .* chosen/ { print $1 }' "$work/out")
holds grep -q "^base       $chosen, by" "$work/out"
try "no pictures: nothing is known of them" "$YOLO" init --names five.names --base auto --out chosen2
status 0
out '^base +yolov4-tiny, by [0-9]+ cores'
try "by the weights' name" "$YOLO" init --names five.names --weights "$root/weights/tabletop.weights" --out chosen3
status 0
out '^base +tabletop, by'
no_out '^  yolov4-tiny '

for base in "$root"/cfg/*.cfg; do
    if ! grep -q '^\[yolo\]' "$base"; then
        try "base $(basename "$base" .cfg): no detector" "$YOLO" init --names my.names --base "$base" --weights none --out all/none
        status 2; one_error 'no detection head'; holds [ ! -e all/none ]
        continue
    fi
    stem=$(basename "$base" .cfg)
    try "base $stem" "$YOLO" init --recipe darknet --names my.names --base "$base" --out "all/$stem" --freeze backbone
    status 0
    if command -v patch >/dev/null; then holds diff_applies "$base" "all/$stem/$stem.cfg"; fi
    try "base $stem: the result" "$YOLO" info "all/$stem/$stem.cfg" --freeze backbone
    status 0; out '^classes +3$'
done

# ---- wrong usage; nothing is left behind ----
ls >before
refuse() { # NAME REGEX FLAGS...
    try "$1" "$YOLO" init --recipe darknet "${@:3}"
    status 2; one_error "$2"; out_empty; holds diff before <(ls)
}
try "nothing given" "$YOLO" init
status 2; one_error '--names FILE is missing'
refuse "weights of nobody knows which base" 'of which network' --names five.names --weights short.weights
refuse "an unknown base" 'no cfg/yolov9.cfg' --names five.names --base yolov9
refuse "no such names" 'six.names' --names six.names --base yolov4-tiny
refuse "a classifier" 'no detection head' --names five.names --base "$root/tests/golden/classifier.cfg"
refuse "an unknown set" 'did you mean backbone' --names five.names --base yolov4-tiny --freeze backbon
refuse "nothing to freeze" 'freezes nothing' --names five.names --base yolov4-tiny --freeze none
refuse "everything frozen" 'everything is frozen' --names five.names --base yolov4-tiny --freeze 0-37
refuse "anchors without pictures" 'needs the pictures' --names five.names --base yolov4-tiny --anchors auto
refuse "two lengths" 'both say how long' --names five.names --base yolov4-tiny --epochs 3 --max-batches 3 \
    --data-dir set
refuse "empty mini-batches" '4 subdivisions of a batch of 2' --names five.names --base yolov4-tiny --batch 2 --subdivisions 4
refuse "parts: two of one kind" 'train20.. and train20.. both look like the training part' --names five.names \
    --base yolov4-tiny --data-dir parts/two
refuse "parts: only one to validate on" 'val looks like a part that is not trained on' --names five.names \
    --base yolov4-tiny --data-dir parts/alone
refuse "parts: too deep to be told" 'parts/nested/a/val looks like a part that is not to be trained on' \
    --names five.names --base yolov4-tiny --data-dir parts/nested
refuse "no such folder" 'no such folder' --names five.names --base yolov4-tiny --data-dir nowhere
refuse "weights of another network" 'weights' --names five.names --base yolov4-tiny --weights short.weights
refuse "a size that does not fit" 'cfg/yolov4.cfg:[0-9]+: .route. layers: layer 130 is 7 x 7 but layer 128 is 8 x 8' --names five.names --base yolov4 --imgsz 50 --out run11
touch file
ls >before
try "a folder that cannot be" "$YOLO" init --recipe darknet --names five.names --base yolov4-tiny --out file/sub
status 1; one_error 'file'
finish
