#!/usr/bin/env bash
# yolo train on data as people have it: every fault is reported with path:line, what can be used is used,
# and no run dies of it. Made-up faults first, then those of the shared sets.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$(dirname "$0")/lib_train.sh"

short=(--iters 2 --warmup 0 --no-augment)

sets() { # NAME PICTURE...: NAME.data of these pictures, five classes, no validation
    printf '%s\n' "${@:2}" >"$1.txt"
    printf 'classes=5\ntrain=%s.txt\nnames=set/synth.names\n' "$1" >"$1.data"
}

uses() { # PICTURES OBJECTS: what training_describe counts
    err ": $1 pictures, $2 objects;"
}

# ---- labels ----

mkdir -p odd/images odd/labels
trap_of() { # NAME: a picture of that name; its labels come on stdin
    cp "set/images/train/000000.jpg" "odd/images/$1.jpg"
    cat >"odd/labels/$1.txt"
}
good='1 0.5 0.5 0.25 0.25'
trap_of crlf < <(printf '%s\r\n2 0.25 0.25 0.1 0.1\r\n' "$good")
trap_of blank < <(printf '\n  \n%s\n\n\t\n3 0.75 0.75 0.2 0.2\n\n' "$good")
trap_of bom < <(printf '\357\273\277%s\n' "$good")
trap_of no_end < <(printf '%s' "$good")
trap_of tabs < <(printf '1\t0.5\t0.5  0.25 \t0.25\n')
trap_of range <<<"$good
5 0.5 0.5 0.1 0.1
-1 0.5 0.5 0.1 0.1
1.5 0.5 0.5 0.1 0.1"
trap_of nan <<<"$good
0 nan 0.5 0.1 0.1
0 0.5 0.5 inf 0.1
nan 0.5 0.5 0.1 0.1"
trap_of words <<<"$good
cube 0.5 0.5 0.1 0.1
0 0.5 0.5 0.1
0 0.5 0.5 0.1 0.1 0.9"
trap_of zero <<<"$good
0 0.5 0.5 0 0.1
0 0.5 0.5 0.1 -0.1"
trap_of outside <<<"$good
0 1.5 0.5 0.1 0.1
0 1.0 0.5 0.2 0.2
0 32 32 16 16"
trap_of empty </dev/null
trap_of binary < <(head -c 300 set/images/train/000001.jpg)
cp set/images/train/000000.jpg odd/images/alone.jpg
echo "$good" >odd/labels/orphan.txt

sets odd odd/images/*.jpg
try "labels with faults" "$YOLO" train --data odd.data --cfg tiny.cfg "${short[@]}" --out odd-run
status 0
uses 7 7
err 'odd.txt: 6 of 13 pictures have label lines that cannot be used: left out'
err '^left out +6 pictures to train on, 0 to validate on'
for line in 2:class.5 3:class.-1 4:class.1.5; do
    err "^yolo: warning: odd/labels/range.txt:${line/:/: }, but there are 5"
done
err '^yolo: warning: odd/labels/nan.txt:2: "nan" is no number'
err '^yolo: warning: odd/labels/nan.txt:3: "inf" is no number'
err '^yolo: warning: .*: [0-9]+ lines that are not "class x y w h" in all'
err '^yolo: warning: odd/labels/zero.txt:2: a box of 0 x 0.1'
err '^yolo: warning: odd/labels/zero.txt:3: a box of 0.1 x -0.1'
err '^yolo: warning: odd/labels/outside.txt:2: .*is outside the picture'
err '^yolo: warning: odd/labels/outside.txt:3: .*is cut at the picture'
err '^yolo: warning: odd/labels/outside.txt:4: .*outside the picture.*pixels\?'
err '^yolo: warning: odd/labels/empty.txt: no boxes'
err '^yolo: warning: odd/labels/orphan.txt: no picture of this name'
err '^yolo: warning: odd/images/alone.jpg: no label file, taken as background \(odd/labels/alone.txt was'
err '^yolo: warning: training pictures: 13 labels are unusable and left out'
no_err 'crlf|blank|bom|no_end|tabs'
sets words odd/images/words.jpg odd/images/binary.jpg odd/images/crlf.jpg
try "labels that are no labels" "$YOLO" train --data words.data --cfg tiny.cfg "${short[@]}" --out words-run
status 0
uses 1 2
err '^yolo: warning: odd/labels/words.txt:2: "cube" is no number'
err '^yolo: warning: odd/labels/words.txt:3: 4 numbers instead of 5'
err '^yolo: warning: odd/labels/words.txt:4: a sixth number is taken as a confidence and dropped'
err '^yolo: warning: odd/labels/binary.txt:[0-9]+: not a text file'
sets unusable odd/images/words.jpg odd/images/binary.jpg
try "no other labels" "$YOLO" train --data unusable.data --cfg tiny.cfg "${short[@]}" --out unusable-run
status 2
one_error 'unusable.txt: 2 pictures, but not one usable label'
holds [ ! -e unusable-run ]
sets nothing odd/images/empty.jpg odd/images/alone.jpg
try "no label at all" "$YOLO" train --data nothing.data --cfg tiny.cfg "${short[@]}" --out nothing-run
status 2
one_error 'nothing.txt: 2 pictures, but not one usable label \(labels/NAME.txt beside images/NAME.jpg\)'
holds [ ! -e nothing-run ]
for folder in odd/annotations odd/Annotations odd/images; do
    mkdir -p "$folder"
    echo '<annotation/>' >"$folder/empty.xml"
    try "Pascal VOC's in $folder" "$YOLO" train --data nothing.data --cfg tiny.cfg "${short[@]}" --out nothing-run
    status 2
    one_error "nothing.txt: 2 pictures, but not one usable label \\($folder has Pascal VOC's: scripts/voc_to_yolo"
    rm "$folder/empty.xml"
done

# ---- where labels lie ----

mkdir -p where/a where/images/images/b where/images/labels/b where/JPEGImages where/labels
cp set/images/train/000000.jpg where/a/beside.jpg
cp set/images/train/000000.jpg where/images/images/b/two.jpg
cp set/images/train/000000.jpg where/JPEGImages/voc.jpg
cp set/images/train/000000.jpg where/a/CAPITAL.JPG
cp set/images/train/000000.jpg where/a/dots.in.name.jpeg
echo "$good" | tee where/a/beside.txt where/images/labels/b/two.txt where/labels/voc.txt \
    where/a/CAPITAL.txt where/a/dots.in.name.txt >/dev/null
sets where where/a/beside.jpg where/images/images/b/two.jpg where/JPEGImages/voc.jpg where/a/CAPITAL.JPG \
    where/a/dots.in.name.jpeg
try "where labels lie" "$YOLO" train --data where.data --cfg tiny.cfg "${short[@]}" --out where-run
status 0
uses 5 5
no_err 'warning: where'

# ---- pictures and lists ----

mkdir -p kinds
cp "$root/tests/golden/pictures/"{grey,progressive}.jpg kinds/
head -c 700 set/images/train/000002.jpg >kinds/cut.jpg
echo "not a picture" >kinds/text.jpg
: >kinds/nothing.jpg
for name in grey progressive cut text nothing; do
    echo "$good" >kinds/$name.txt
done
sets kinds kinds/{grey,progressive,cut,text,nothing}.jpg kinds/missing.jpg
sed -i 's/$/\r/; 2s/^/  /; 3s/^/\n/' kinds.txt # CRLF, a blank in front, a blank line
printf 'valid=kinds.txt\n' >>kinds.data
try "kinds of pictures" "$YOLO" train --data kinds.data --cfg tiny.cfg --iters 4 --warmup 0 --out kinds-run
status 0
uses 5 5
for name in text nothing; do
    err "^yolo: warning: kinds/$name.jpg: .*another picture takes its place"
    err "^yolo: warning: kinds/$name.jpg: .*picture left out"
done
err '^yolo: warning: .*kinds.txt:7: kinds/missing.jpg does not exist'
no_err 'warning: kinds/(grey|progressive)'
holds [ -s kinds-run/best.weights ]

# ---- COCO JSON ----

cat >coco.json <<'JSON'
{"images": [{"id": 7, "file_name": "000000.jpg", "width": 64, "height": 64},
            {"id": 8, "file_name": "000001.jpg", "width": 64, "height": 64},
            {"id": 9, "file_name": "missing.jpg", "width": 64, "height": 64}, {"id": 10, "file_name": "000002.jpg"}],
 "categories": [{"id": 3, "name": "a"}, {"id": 5, "name": "b"}, {"id": 90, "name": "c"},
                {"id": 91, "name": "d"}, {"id": 92, "name": "e"}],
 "annotations": [{"id": 1, "image_id": 7, "category_id": 90, "bbox": [8, 8, 16, 16], "iscrowd": 0},
                 {"id": 2, "image_id": 8, "category_id": 3, "bbox": [4, 40, 20, 20]},
                 {"id": 3, "image_id": 8, "category_id": 3, "bbox": [4, 40, 0, 20]},
                 {"id": 4, "image_id": 10, "category_id": 4, "bbox": [4, 40, 20, 20]},
                 {"id": 5, "image_id": 80, "category_id": 3, "bbox": [4, 40, 20, 20]}]}
JSON
cp coco.json set/images/train/
printf 'classes=5\ntrain=set/images/train/coco.json\nvalid=set/images/train/coco.json\nnames=set/synth.names\n' >coco.data
try "COCO JSON" "$YOLO" train --data coco.data --cfg tiny.cfg "${short[@]}" --out coco-run
status 0
uses 2 2
err 'validation on 2 '
err '^yolo: warning: set/images/train/coco.json:3: images\[2\]: .*missing.jpg does not exist'
err '^yolo: warning: set/images/train/coco.json:8: annotations\[2\]: a box of 0 x'
err '^yolo: warning: set/images/train/coco.json:9: annotations\[3\]: no category of id 4'
err 'coco.json: 1 of 3 pictures have annotations that cannot be used: left out'
err '^yolo: warning: set/images/train/coco.json:10: annotations\[4\]: no image of id 80'
holds [ -s coco-run/best.weights ]

# ---- the shared sets ----

data=$SHARED/data
if [ ! -d "$data" ]; then
    skip "training on the shared sets" "no shared data (set YOLO_SHARED)"
    finish
fi
net_for() { # CLASSES
    sed "s/classes=5/classes=$1/; s/filters=20/filters=$((2 * (5 + $1)))/" tiny.cfg >"tiny$1.cfg"
}
shared() { # SET LIST CLASSES
    net_for "$3"
    printf 'classes=%s\ntrain=%s\n' "$3" "$data/$1/$2" >"$1.data"
    try "train on $1" "$YOLO" train --data "$1.data" --cfg "tiny$3.cfg" "${short[@]}" --out "$1-run"
    status 0
}
shared coco128 train.txt 80
uses 102 733
err 'images/000000000250.jpg: no label file, taken as background'
err 'images/000000000508.jpg: no label file, taken as background'
err 'labels/000000000656.txt: no picture of this name'
err 'labels/000000000659.txt: no picture of this name'
shared aquarium test.txt 7
err 'IMG_2423.*.txt:17: a box of 0 x 0$'
err 'IMG_2570.*.txt:15: a box of 0 x 0$'
err 'training pictures: 2 labels are unusable and left out'
finish
