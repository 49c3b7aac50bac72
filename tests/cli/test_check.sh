#!/usr/bin/env bash
# yolo check and yolo anchors: planted faults are found where they are, clean sets raise no alarm, nothing of
# the user's is changed, the cleaned copy is clean.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2317 # called through holds
count() { # N REGEX: exactly N lines of stdout
    local found
    found=$(grep -cE -- "$2" "$work/out")
    [ "$found" -eq "$1" ] || { fault "$found lines with /$2/, expected $1"; return 1; }
}

sums() { # DIR: checksums of everything below
    (cd "$1" && find . -type f -exec cksum {} + | sort)
}

# ---- a clean set ----
clean=$work/clean
prepare "$YOLO" synth "$clean" --train 10 --val 4 --size 192x192 -q
try "clean set: no errors, no warnings" "$YOLO" check "$clean/synth.data"
status 0; no_out ': (error|warning): '; out '^summary: 0 errors, 0 warnings'
out '^  10 pictures of 192\.\.192 x 192\.\.192'
try "clean set: labels only" "$YOLO" check "$clean/synth.data" --no-images
status 0; out 'pictures were not opened'
try "clean set: lists by name" "$YOLO" check "$clean/train.txt" "$clean/val.txt" --names "$clean/synth.names"
status 0; out '^valid: '
try "clean set: a folder" "$YOLO" check "$clean/images/train"
status 0; out '^  10 pictures'

# ---- planted faults ----
bad=$work/bad
cp -r "$clean" "$bad"
pictures=()
while IFS= read -r line; do pictures+=("$bad/images/train/${line##*/}"); done <"$bad/train.txt"
label() { # INDEX: its label file
    local path=${pictures[$1]/images/labels}
    echo "${path%.*}.txt"
}
: >"$bad/list.txt"
for i in 0 1 2 3 4 5 6 7; do echo "${pictures[$i]}" >>"$bad/list.txt"; done
cat >"$(label 0)" <<'END'
0 0.5 0.5 0.25 0.25
zero 0.5 0.5 0.1 0.1
99 0.5 0.5 0.1 0.1
0 1.5 0.5 0.2 0.2
0 0.95 0.5 0.2 0.2
0 0.3 0.3 0 0
0 0.5 0.5 0.25 0.25
0 0.502 0.5 0.25 0.25
1 0.5 0.5 0.25 0.25
2 0.2 0.2 0.004 0.1
3 0.5 0.5 1 1
0 0.5 0.5 0.1
0 nan 0.5 0.1 0.1
END
: >"$(label 1)"
rm "$(label 2)"
echo "0 0.5 0.5 0.1 0.1" >"$(dirname "$(label 0)")/orphan.txt"
head -c 2000 "${pictures[3]}" >"$work/cut" && mv "$work/cut" "${pictures[3]}"
: >"${pictures[4]}"
cp "${pictures[5]}" "$bad/images/train/copy.jpg"
cp "$(label 5)" "$bad/labels/train/copy.txt"
cp "${pictures[6]}" "$bad/images/val/shared.jpg"
cp "$(label 6)" "$bad/labels/val/shared.txt"
{ cat "${pictures[7]}"; echo "tail"; } >"$bad/images/val/pixels.jpg" # another file, the same picture
cp "$(label 7)" "$bad/labels/val/pixels.txt"
{
    echo "$bad/images/train/copy.jpg" # 9
    echo "$bad/images/train/absent.jpg"
    echo "${pictures[0]}"
} >>"$bad/list.txt"
{
    echo "$bad/images/val/shared.jpg"
    echo "$bad/images/val/pixels.jpg"
} >"$bad/vlist.txt"
printf 'classes=5\ntrain=list.txt\nvalid=vlist.txt\nnames=synth.names\n' >"$bad/bad.data"
before=$(sums "$bad")
l=$(label 0)
try "planted faults" "$YOLO" check "$bad/bad.data"
status 3
out "^$l:2: error: .*\[not-numbers\]"; out "^$l:12: error: 4 numbers.*\[not-numbers\]"
out "^$l:13: error: .*\[not-numbers\]"; holds count 3 '\[not-numbers\]'
out "^$l:3: error: class 99.*\[class-range\]"; holds count 1 '\[class-range\]'
out "^$l:4: error: .*\[outside\]"; holds count 1 '\[outside\]'
out "^$l:5: warning: .*\[clipped\]"; holds count 1 '\[clipped\]'
out "^$l:6: error: .*\[zero-size\]"; holds count 1 '\[zero-size\]'
out "^$l:7: warning: .*\[duplicate\]"
out "^$l:8: warning: .*line 1 .*\[nearly-identical\]"; holds count 1 '\[nearly-identical\]'
out "^$l:9: warning: .*line 1.*\[two-classes\]"
out "^$l:10: warning: .*0\.77 x 19 pixels.*\[tiny\]"; holds count 1 '\[tiny\]'
out "^$l:11: note: .*\[whole-picture\]"
out "^$(label 1): note: .*\[empty-label\]"
out "^${pictures[2]}: warning: .*\[no-label\]"; holds count 1 '\[no-label\]'
out "/labels/train/orphan.txt: warning: .*\[orphan-label\]"
out "^$bad/list.txt:4: error: .*\[unreadable\]"; out "^$bad/list.txt:5: error: .*\[unreadable\]"
holds count 2 '\[unreadable\]'
out "^$bad/list.txt:9: warning: .*copy.jpg: is the same file as .*list.txt:6.*\[copy\]"
out "^$bad/list.txt:10: error: .*absent.jpg does not exist \[no-image\]"
out "^$bad/list.txt:11: warning: .*is the same path as .*list.txt:1\) \[copy\]"
out "^$bad/vlist.txt:1: error: .*shared.jpg: is the same file as .*list.txt:7.*\[overlap\]"
out "^$bad/vlist.txt:2: error: .*pixels.jpg: has the same pixels as .*list.txt:8.*\[overlap\]"
holds count 2 '\[overlap\]'; out '^  error +2 pictures in train and in valid'
cp "$work/out" "$work/first"
try "the same findings on one thread" "$YOLO" check "$bad/bad.data" --threads 1
status 3; holds diff <(grep -v ^summary "$work/first") <(grep -v ^summary "$work/out")
try "planted faults: JSON" "$YOLO" check "$bad/bad.data" --json
status 3; json 'v["summary.kinds.overlap"] == 2 && v["images_read"] == "true"'
json 'any("findings", "kind", "zero-size", "line", 6)'
json 'v["summary.errors"] + v["summary.warnings"] + v["summary.notes"] == count("^findings\\[[0-9]+\\]\\.kind$")'
json 'count("^classes\\[[0-9]+\\]\\.name$") == 5 && v["sets.train.images"] == 10'
try "pictures not opened: labels are still checked" "$YOLO" check "$bad/bad.data" --no-images
status 3; no_out '\[unreadable\]'; no_out 'the same file'; out "^$l:6: error: "; out '\[copy\]'
try "valid is train" "$YOLO" check "$clean/train.txt" "$clean/train.txt"
status 3; holds count 1 '\[overlap\]'; out 'the same list as train'

printf 'one\ntwo\none\nthree\nfour\n' >"$work/twice.names"
try "a name given twice" "$YOLO" check "$clean/train.txt" --names "$work/twice.names" --no-images
status 3; out "^$work/twice.names:3: warning: class 2 has the name of class 0, one .name-twice."
holds count 1 '\[name-twice\]'
mkdir -p "$work/turned/images" "$work/turned/labels"
exif='\xff\xe1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0'
for name in labelled background; do
    { head -c 2 "${pictures[7]}"; printf '%b' "$exif"; tail -c +3 "${pictures[7]}"; } >"$work/turned/images/$name.jpg"
done
cp "$(label 7)" "$work/turned/labels/labelled.txt"
: >"$work/turned/labels/background.txt"
try "a picture to be shown turned" "$YOLO" check "$work/turned/images"
status 3; out 'labelled.jpg: warning: EXIF orientation 6'; holds count 1 '\[turned\]'

# ---- drawing and fixing ----
try "draw" "$YOLO" check "$bad/bad.data" --draw "$work/drawn"
status 3; err "drawn: 1 drawn"; holds test -s "$work/drawn/train_1_$(basename "${pictures[0]}" .jpg).jpg"
try "fix" "$YOLO" check "$bad/bad.data" --fix "$work/fixed"
status 3; err 'set\.data'
try "the user's files are as they were" test "$before" = "$(sums "$bad")"
status 0
try "the cleaned copy is clean" "$YOLO" check "$work/fixed/set.data"
out '^  3 pictures of'; out '^summary: 0 errors' # not the one of which nobody knows what it shows
no_out '\[(clipped|duplicate|nearly-identical|no-label|orphan-label|copy|no-image|unreadable|overlap)\]'
kept=$(basename "$(label 5)")
try "faultless labels are copied byte for byte" cmp "$(label 5)" "$work/fixed/labels/train/$kept"
status 0
sums "$work/fixed" >"$work/sums"
try "fix never overwrites" "$YOLO" check "$bad/bad.data" --fix "$work/fixed"
status 2; one_error 'not empty'; holds diff "$work/sums" <(sums "$work/fixed")

# ---- labels as other tools write them ----
forms=$work/forms
mkdir -p "$forms"
formed=0
form() { # NAME: a picture whose labels come on stdin
    formed=$((formed + 1))
    cp "$clean/images/train/00000$formed.jpg" "$forms/$1.jpg"
    cat >"$forms/$1.txt"
    echo "$forms/$1.jpg" >>"$forms/list.txt"
}
form mended < <(printf '0 0.5 0.5 0.25 0.25\n0 0.95 0.5 0.2 0.2\n0 0.3 0.3 0 0\n0 0.5 0.5 0.25 0.25\n0 0.502 0.5 0.25 0.25
1 0.2 0.2 0.1 0.1\n3 0.5 0.5 1 1\n')
form confidence <<<'0 0.5 0.5 0.25 0.25 0.875'
form polygon <<<'1 0.25 0.25 0.75 0.5 0.5 0.75'
form oriented <<<'2 0.5 0.25 0.75 0.5 0.5 0.75 0.25 0.5'
form pixels <<<'0 96 96 80 80'
form commas <<<'0,0.5,0.5,0.25,0.25'
form words <<<'cube 0.5 0.5 0.25 0.25'
form sixth <<<'0 0.5 0.5 0.25 0.25 87'
printf 'classes=5\ntrain=list.txt\nvalid=list.txt\nnames=%s\n' "$clean/synth.names" >"$forms/forms.data"
try "labels of other tools" "$YOLO" check "$forms/forms.data" --fix "$work/formed"
status 3; holds count 1 '\[confidence\]'; holds count 1 '\[polygon\]'; holds count 3 '\[not-numbers\]'
out 'pixels.txt:1: error: .*pixels\?'; out '^  4 of the pictures have label lines that cannot be used'
err 'formed: 4 pictures, 4 label files changed'; err '4 pictures with labels that cannot be used are left out'
holds test "$(cat "$work/formed/labels/train/confidence.txt")" = '0 0.5 0.5 0.25 0.25'
holds test "$(cat "$work/formed/labels/train/polygon.txt")" = '1 0.5 0.5 0.5 0.5'
holds test "$(cat "$work/formed/labels/train/oriented.txt")" = '2 0.5 0.5 0.5 0.5'
holds test ! -e "$work/formed/labels/train/commas.txt" # no background, either
holds grep -q '^valid = train.txt' "$work/formed/set.data"
# shellcheck disable=SC2016 # awk
holds awk 'NF != 5 || $1 > 4 { exit 1 } END { exit NR == 4 ? 0 : 1 }' "$work/formed/labels/train/mended.txt"
try "the copy is what check says of it" "$YOLO" check "$work/formed/set.data"
status 3; out '^  4 pictures of'; out '^summary: 1 error,'; holds count 1 '\[overlap\]'; no_out 'background|empty-label'
try "anchors of such labels" "$YOLO" anchors "$forms/forms.data" -n 3
status 0; out '^8 boxes of 4 pictures'; err '4 of 8 pictures have label lines that cannot be used: left out'
try "COCO of such labels" "$YOLO" convert "$forms/list.txt" --names "$clean/synth.names" --out "$work/forms.json"
status 3; err 'forms.json: 4 pictures, 8 boxes'
try "an evaluation leaves them out, too" "$YOLO" eval "$forms/list.txt" --model tabletop --format json
status 3; holds grep -qE '"images":[[:space:]]*4,' "$work/out"
try "its saved detections hold the other pictures, too" "$YOLO" detect "$forms" --model tabletop --no-save -q --format json
status 0
cp "$work/out" "$work/forms.found"
try "and they are passed over" "$YOLO" eval "$forms/forms.data" --results "$work/forms.found" --format json
status 3; holds grep -qE '"images":[[:space:]]*4,' "$work/out"

# what detect itself saves is read again
mkdir -p "$work/own"
cp "$clean"/images/val/*.jpg "$work/own/"
try "detect saves labels with confidences" "$YOLO" detect "$work/own" --model tabletop --format yolo --save-conf --no-save \
    --out "$work/found"
status 0
cp "$work"/found/labels/*.txt "$work/own/"
try "they are labels" "$YOLO" check "$work/own" --classes 5
no_out 'not-numbers'; out '\[confidence\]'; no_out ' 0 boxes'
try "for eval, too" "$YOLO" eval "$work/own" --model tabletop
status 0; err 'a sixth number is taken as a confidence'

# ---- no box at all ----
mkdir -p "$work/boxless"
for i in 0 1; do
    cp "$clean/images/val/00000$i.jpg" "$work/boxless/"
    : >"$work/boxless/00000$i.txt"
done
try "check: no box" "$YOLO" check "$work/boxless"
status 3; out "^$work/boxless: error: 2 pictures, but not one box.*nothing to train on \[no-boxes\]"
try "anchors: no box" "$YOLO" anchors "$work/boxless"
status 2; one_error 'no boxes'
try "eval: no box" "$YOLO" eval "$work/boxless" --model tabletop
status 0; err 'not one box that can be used: nothing to measure'; out '^AP +-'

# ---- wrong usage, hopeless sets ----
try "check: --images of a list" "$YOLO" check "$clean/train.txt" --images "$clean/images/val"
status 2; one_error '--images acts only with a COCO .json or an .ndjson'; out_empty
"$YOLO" convert "$clean/val.txt" --names "$clean/synth.names" --out "$work/apart.json" -q 2>/dev/null
mkdir -p "$work/elsewhere"
(cd "$work" && "$YOLO" convert "$clean/val.txt" --names "$clean/synth.names" --out elsewhere/val.json -q 2>/dev/null)
try "check: the pictures of a COCO file" "$YOLO" check "$work/elsewhere/val.json" --images "$clean/images/val"
status 0; out '^  4 pictures'
try "check: nothing given" "$YOLO" check
status 2; one_error 'data set is missing'; out_empty
try "check: no such file" "$YOLO" check "$work/none.data"
status 2; one_error 'none.data'
try "check: too many words" "$YOLO" check "$clean/synth.data" more
status 2; one_error 'unexpected more'
printf '%s\n' /nowhere/a.jpg /nowhere/b.jpg >"$work/gone.txt"
try "check: no picture exists" "$YOLO" check "$work/gone.txt"
status 2; one_error 'none of the 2 pictures'
printf 'classes=7\ntrain=train.txt\nvalid=val.txt\nnames=synth.names\n' >"$clean/seven.data"
try "check: names that do not fit" "$YOLO" check "$clean/seven.data"
status 3; out 'synth.names: error: 5 names, but the data set has 7'
"$YOLO" convert "$clean/val.txt" --names "$clean/synth.names" --out "$work/val.json" -q 2>/dev/null
tac "$clean/synth.names" >"$work/turned.names"
sed 's/sphere/Kugel/' "$clean/synth.names" >"$work/other.names"
try "check: names in another order than a COCO file's" "$YOLO" check "$work/val.json" --names "$work/turned.names"
status 2; one_error 'val.json: class 0 is named torus, but torus is class 4 here'
try "check: a translated name is no fault" "$YOLO" check "$work/val.json" --names "$work/other.names"
err 'none of the [0-9]+ pictures'
try "check: a network" "$YOLO" check "$clean/synth.data" --cfg tests/golden/tiny.cfg
out '^network input '; out 'anchors: mean IoU '; out 'learns '

try "check: an input size of no network" "$YOLO" check "$clean/synth.data" --imgsz 128
status 2; one_error '--imgsz acts only with --cfg'
try "check: --draw-max alone" "$YOLO" check "$clean/synth.data" --draw-max 3
status 2; one_error '--draw-max acts only with --draw'

# ---- ten thousand labels ----
mkdir -p "$work/many/images" "$work/many/labels"
awk -v dir="$work/many" 'BEGIN {
    for (i = 0; i < 10000; i++) {
        file = dir "/labels/" i ".txt"
        printf "%d 0.4 0.5 0.2 0.3\n%d 0.7 0.5 0.2 0.3\n", i % 3, i % 2 > file
        close(file)
        printf "" > (dir "/images/" i ".jpg")
        close(dir "/images/" i ".jpg")
        print dir "/images/" i ".jpg" > (dir "/list.txt")
    }
}'
start=$(date +%s)
try "10,000 label files in seconds" "$YOLO" check "$work/many/list.txt" --no-images
status 0; out '20000 boxes'; holds test $(($(date +%s) - start)) -le 20

# ---- anchors ----
cfg=cfg/yolov4-tiny.cfg
try "anchors: old and new" "$YOLO" anchors "$clean/synth.data" --cfg $cfg
status 0; out '^old +mean IoU '; out '^new +mean IoU '; out '^(keep the old|take the new)'
cp "$work/out" "$work/first"
try "anchors: same seed, same anchors" "$YOLO" anchors "$clean/synth.data" --cfg $cfg
holds cmp "$work/first" "$work/out"
try "anchors: without a cfg" "$YOLO" anchors --data "$clean/train.txt" -n 3 --imgsz 320
status 0; out 'at 320x320'; no_out '^old'
try "anchors: write" "$YOLO" anchors "$clean/synth.data" --cfg $cfg --write "$work/new.cfg"
status 0; holds test -s "$work/new.cfg"
try "anchors: only anchors and masks change" diff $cfg "$work/new.cfg"
status 1; holds count 0 '^[<>] *(filters|num|width|classes)'; holds count 2 '^> *anchors'
holds count 1 '^> *mask'; holds count 3 '^<'
try "anchors: the new cfg" "$YOLO" anchors "$clean/synth.data" --cfg "$work/new.cfg"
status 0; out '^keep the old'
# yolov4-tiny's 81,82 has an IoU of .68 with boxes of 99 by 99 at 416, so that all are above .5 as it is; none of its anchors comes
# near boxes of 12 by 200.
mkdir -p "$work/sizes"
for size in '99 99' '12 200'; do
    for i in 1 2 3 4 5 6; do
        awk -v size="$size" 'BEGIN {
            split(size, s)
            for (k = 0; k < 10; k++) printf "0 %.2f .5 %.4f %.4f\n", .3 + k / 25, (s[1] + k % 2) / 416, s[2] / 416
        }' >"$work/sizes/$i.txt"
        : >"$work/sizes/$i.jpg"
        echo "$work/sizes/$i.jpg"
    done >"$work/sizes/list.txt"
    try "anchors: boxes of $size" "$YOLO" anchors "$work/sizes/list.txt" --cfg $cfg -n 2
    status 0
    case "$size" in
    99*) out '^keep the old: \+0.0 points of boxes above IoU 0.5 .*mean IoU \+3[0-9]' ;;
    *) out '^take the new: \+100.0 points of boxes above IoU 0.5' ;;
    esac
done
try "anchors: will not overwrite" "$YOLO" anchors "$clean/synth.data" --cfg $cfg --write "$work/new.cfg"
status 2; one_error 'new.cfg: exists'
try "anchors: --force overwrites; another number" "$YOLO" anchors "$clean/synth.data" --cfg $cfg \
    --write "$work/new.cfg" --force -n 7
status 0
try "anchors: another number changes filters" diff $cfg "$work/new.cfg"
holds count 2 '^> *num *= *7'; holds count 1 '^> *filters *= *340'
try "anchors: the changed cfg is a network" "$YOLO" info "$work/new.cfg"
status 0
try "anchors: another size cannot be written" "$YOLO" anchors "$clean/synth.data" --cfg $cfg \
    --imgsz 320 --write "$work/other.cfg"
status 2; one_error 'pixels of the cfg'; holds test ! -e "$work/other.cfg"
try "anchors: more than there are sizes" "$YOLO" anchors "$work/many/list.txt" -n 5
status 2; one_error '5 anchors need'
try "anchors: too few for the heads" "$YOLO" anchors "$clean/synth.data" --cfg $cfg -n 1
status 2; one_error 'too few for 2'

try "the bundled set is clean, also for its network" \
    "$YOLO" check "$root/data/tabletop/tabletop.data" --cfg "$root/cfg/tabletop.cfg"
status 0; out '^summary: 0 errors, 0 warnings, 0 notes'

# ---- the traps of the shared sets ----
data=$SHARED/data
if [ -d "$data" ]; then
    try "coco128: known orphans and nothing else wrong" \
        "$YOLO" check "$data/coco128/train.txt" "$data/coco128/val.txt" --classes 80
    status 3; out '^summary: 0 errors'
    holds count 2 '\[no-label\]'; out '000000000250.jpg: warning'; out '000000000508.jpg: warning'
    holds count 2 '\[orphan-label\]'; out '000000000656.txt: warning'; out '000000000659.txt: warning'
    no_out '\[(copy|overlap|similar|similar-overlap|nearly-identical|two-classes|clipped|duplicate|turned)\]'
    holds count 3 '\[tiny\]' # 1.2 to 1.9 pixels wide
    mkdir -p "$work/coco/images" "$work/coco/labels"
    while read -r name; do # without those named above
        case "$name" in *250.jpg | *508.jpg | *531.jpg | *540.jpg | *542.jpg) continue ;; esac
        ln -s "$data/coco128/$name" "$work/coco/images/"
        cp "$data/coco128/labels/$(basename "$name" .jpg).txt" "$work/coco/labels/"
    done < <(sort "$data/coco128/train.txt" "$data/coco128/val.txt")
    try "coco128 without them: no alarm" "$YOLO" check "$work/coco/images" --classes 80
    status 0; out '^summary: 0 errors, 0 warnings, 1 note'; holds count 1 '\[unused\]'
    try "aquarium: two boxes without area, one empty label" \
        "$YOLO" check "$data/aquarium/images" --classes 7 --no-images
    status 3; holds count 2 ': error: '; holds count 2 '\[zero-size\]'; holds count 1 '\[empty-label\]'
    out 'IMG_2423.*:[0-9]+: error'; out 'IMG_2570.*:[0-9]+: error'; no_out ': warning: '
    out 'IMG_3133.*: note: no boxes'
    try "aquarium: the figures of its README" "$YOLO" check "$data/aquarium/images" --classes 7 --no-images
    out '^  638 pictures'; out ' 4815 boxes'
else
    skip "the traps of the shared data sets" "no shared data (set YOLO_SHARED)"
fi
finish
