#!/usr/bin/env bash
# Data sets as other tools write them, each laid out here as its version does (docs/other-tools.md): check, a dry run, a
# training of two updates and eval take each of them as it comes, in one command each.
# shellcheck disable=SC2154 # work: lib.sh
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$(dirname "$0")/lib_train.sh"

mkdir labels # of pictures 000000 to 000003: class x y w h
printf '%s\n' '0 0.500000 0.500000 0.250000 0.250000' '2 0.250000 0.250000 0.200000 0.200000' >labels/000000.txt
printf '%s\n' '1 0.400000 0.600000 0.300000 0.200000' >labels/000001.txt
printf '%s\n' '2 0.700000 0.300000 0.200000 0.400000' >labels/000002.txt
printf '%s\n' '0 0.300000 0.500000 0.200000 0.250000' '1 0.700000 0.700000 0.250000 0.250000' >labels/000003.txt
sed 's/classes=5/classes=3/; s/filters=20/filters=16/; s/^mosaic=1/mosaic=0/; s/^random=1/random=0/' tiny.cfg >three.cfg

pictures() { # FOLDER N...
    local folder=$1 n
    mkdir -p "$folder"
    for n in "${@:2}"; do cp "set/images/train/00000$n.jpg" "$folder/"; done
}

label_files() { # FOLDER N...
    local folder=$1 n
    mkdir -p "$folder"
    for n in "${@:2}"; do cp "labels/00000$n.txt" "$folder/"; done
}

# DATA goes through the four commands: TRAIN and VALID pictures with their boxes; "" for VALID: none.
goes_through() { # TOOL DATA "N pictures, N objects" "N objects of valid" [OPTION...]
    local tool=$1 data=$2 train=$3 valid=$4 options=("${@:5}") count
    try "$tool: check" "$YOLO" check "$data" "${options[@]}"
    [ "$last_status" -eq 0 ] || [ "$last_status" -eq 3 ] || fault "status $last_status"
    out '^summary: 0 errors'
    try "$tool: dry run" "$YOLO" train --data "$data" --cfg three.cfg --weights none --dry-run "${options[@]}"
    status 0
    out "^data +.*: $train; "
    out "3 classes, names ${names:-.*[^)]}$"
    rm -rf run
    try "$tool: two updates" "$YOLO" train --data "$data" --cfg three.cfg --weights none --iters 2 --out run "${options[@]}"
    status 0
    holds diff run/three.names <(printf '%s\n' "${classes[@]}")
    try "$tool: eval" "$YOLO" eval "$data" --run run "${options[@]}"
    status 0
    count=${valid:-${train#*, }}
    err ": [0-9]+ images?, ${count% *} objects?, "
    out "^${classes[2]:0:10}"
}
classes=(cat 'two words' dog)

# ---- Roboflow, "YOLO" export ----
pictures rf/train/images 0 1 2
label_files rf/train/labels 0 1 2
pictures rf/valid/images 3
label_files rf/valid/labels 3
cat >rf/data.yaml <<'YAML'
train: ../train/images
val: ../valid/images
test: ../test/images

nc: 3
names: ['cat', 'two words', 'dog']

roboflow:
  workspace: mine
  project: things
  version: 1
  license: CC BY 4.0
YAML
goes_through Roboflow rf/data.yaml "3 pictures, 4 objects" "2 objects"
no_err 'unknown key'
try "Roboflow: anchors" "$YOLO" anchors rf/data.yaml -n 2
status 0
out '^4 boxes of 3 pictures'
try "Roboflow: init" "$YOLO" init --data rf/data.yaml --base three.cfg --weights none --imgsz 64 --out rfnet
status 0
holds diff rfnet/rfnet.names <(printf '%s\n' "${classes[@]}")
try "Roboflow: what init wrote" "$YOLO" check rfnet/rfnet.data
out '^  3 pictures'
out '^  1 pictures'
try "Roboflow: to COCO" "$YOLO" convert rf/data.yaml --out rfcoco
status 0
json 'v["categories[1].name"] == "two words" && count("^annotations.*\\.id$") == 4' rfcoco/train.json
json 'count("^annotations.*\\.id$") == 2' rfcoco/valid.json
try "Roboflow: names for detect" "$YOLO" detect rf/valid/images --cfg three.cfg --weights run/last.weights \
    --names rf/data.yaml --conf 0 --format csv --no-save
status 0
out ',two words,'

# ---- Ultralytics ----
mkdir ul
pictures ul/images/train 0 1 2
label_files ul/labels/train 0 1 2
pictures ul/images/val 3
label_files ul/labels/val 3
cat >ul/things.yaml <<'YAML'
# parent of this file's folder, as Ultralytics writes it
path: ../ul
train: images/train # 3 images
val: images/val
test: # none

names:
  0: cat
  1: two words
  2: dog

download: |
  from pathlib import Path
YAML
goes_through Ultralytics ul/things.yaml "3 pictures, 4 objects" "2 objects"
printf 'images/train/000000.jpg\n./images/train/000001.jpg\n' >ul/some.txt
printf './images/train/000002.jpg\n' >ul/other.txt
printf 'path: .\ntrain: [some.txt, images/val]\nval: [other.txt]\nnc: 3\nnames: [cat, two words, dog]\n' >ul/lists.yaml
goes_through "Ultralytics, a list and a folder" ul/lists.yaml "3 pictures, 5 objects" "1 objects"
echo ./images/train/000000.jpg >>ul/other.txt
try "the same pictures in both parts: the list's line" "$YOLO" check ul/lists.yaml
out 'ul/some.txt:1'
printf 'path: gone/elsewhere\ntrain: images/train\nnc: 3\n' >ul/moved.yaml
names=none
try "a root that is not there, no names" "$YOLO" train --data ul/moved.yaml --cfg three.cfg --weights none --dry-run
status 0
out 'no valid= set'
out '3 classes, names none'
try "a wrong kind of value" "$YOLO" check <(:) --data ul/gone.yaml
status 2
for fault in 'names: &n [a]@1: an anchor' 'names:\n\t- a@2: no YAML: .*tab' 'nc: two@1: nc: a number' \
    'nc: 1\ntrain: ../../set@2: train: .* leads out of the data set' 'nc: 1\ntrain: gone@2: train: no such file'; do
    # shellcheck disable=SC2059 # the line ends are escapes
    printf "${fault%@*}\n" >ul/bad.yaml
    for command in "check ul/bad.yaml" "anchors ul/bad.yaml" "eval ul/bad.yaml --results no.json" "convert ul/bad.yaml --out x" \
        "train --data ul/bad.yaml --cfg three.cfg --dry-run" "init --data ul/bad.yaml --base three.cfg --out x"; do
        touch no.json
        # shellcheck disable=SC2086 # several words
        try "${fault%%@*}: ${command%% *}" "$YOLO" $command
        status 2
        one_error "ul/bad.yaml:${fault#*@}"
    done
done

# ---- supervision 0.31.2: names, but neither train nor val; five decimals ----
names='.*'
mkdir sv
pictures sv/images 0 1 2 3
label_files sv/labels 0 1 2 3
sed -i 's/\([0-9]\.[0-9]\{5\}\)[0-9]/\1/g' sv/labels/*.txt
printf 'nc: 3\nnames: [cat, two words, dog]\n' >sv/data.yaml
goes_through supervision sv/data.yaml "4 pictures, 6 objects" ""
try "supervision: the folder" "$YOLO" check sv
err 'sv: as sv/data.yaml describes it'
err 'sv/data.yaml: names neither train nor val: the pictures of sv'
try "supervision: a train key that is not there is no such set" "$YOLO" eval sv/data.yaml --split train --run run
status 0

# ---- labelme2yolo 0.4.0: the folder where it was made, hashes in the names ----
mkdir lm
for part in "train 0 1 2" "val 3"; do
    for n in ${part#* }; do
        mkdir -p "lm/images/${part%% *}" "lm/labels/${part%% *}"
        cp "set/images/train/00000$n.jpg" "lm/images/${part%% *}/${n}_1ee0533$n.jpg"
        cp "labels/00000$n.txt" "lm/labels/${part%% *}/${n}_1ee0533$n.txt"
    done
done
printf 'path: /gone/where/it/was/made/YOLODataset\ntrain: images/train\nval: images/val\ntest:\n\nnames:\n    0: cat\n    1: two words\n    2: dog\n' \
    >lm/dataset.yaml
goes_through labelme2yolo lm "3 pictures, 4 objects" "2 objects"

# ---- Datumaro 1.13.12, yolo_ultralytics: lists with ./, a map of names ----
mkdir du
pictures du/images/train 0 1 2
label_files du/labels/train 0 1 2
pictures du/images/val 3
label_files du/labels/val 3
printf './images/train/00000%s.jpg\n' 0 1 2 >du/train.txt
printf './images/val/000003.jpg\n' >du/val.txt
printf 'names:\n  0: cat\n  1: two words\n  2: dog\ntrain: train.txt\nval: val.txt\n' >du/data.yaml
goes_through "Datumaro, yolo_ultralytics" du/data.yaml "3 pictures, 4 objects" "2 objects"

# ---- Datumaro 1.13.12 and CVAT, YOLO 1.1: data/ that is not there, `val`, spaces about = ----
mkdir dy
pictures dy/obj_train_data 0 1 2
label_files dy/obj_train_data 0 1 2
pictures dy/obj_val_data 3
label_files dy/obj_val_data 3
printf 'data/obj_train_data/00000%s.jpg\n' 0 1 2 >dy/train.txt
printf 'data/obj_val_data/000003.jpg\n' >dy/val.txt
printf 'cat\ntwo words\ndog\n' >dy/obj.names
printf 'classes = 3\ntrain = data/train.txt\nval = data/val.txt\nnames = data/obj.names\nbackup = backup/\n' >dy/obj.data
goes_through "Datumaro, yolo" dy/obj.data "3 pictures, 4 objects" "2 objects"
goes_through "CVAT YOLO 1.1, its folder" dy "3 pictures, 4 objects" "2 objects"

# ---- FiftyOne 1.22.1, YOLOv4: no .data, boxes over the border, no newline at the end, confidences ----
mkdir fo
pictures fo/data 0 1 2 3
label_files fo/data 0 1 2
printf '0 1.050000 0.500000 0.200000 0.250000 0.900000\n1 0.700000 0.700000 0.250000 0.250000 0.800000' >fo/data/000003.txt
printf 'data/00000%s.jpg\n' 0 1 2 3 >fo/images.txt
printf 'cat\ntwo words\ndog' >fo/obj.names
goes_through "FiftyOne, YOLOv4" fo "4 pictures, 6 objects" ""
try "FiftyOne: a box over the border, confidences" "$YOLO" check fo
out '000003.txt:1: warning: .*cut at the picture'
out 'a sixth number is taken as a confidence and dropped \(2 such lines'

# ---- Label Studio (sdk 2.1.2, converter 0.0.59): notes.json numbers the classes ----
mkdir ls
pictures ls/images 0 1 2 3
label_files ls/labels 0 1 2
: >ls/labels/000003.txt # a task that nobody has annotated
printf 'cat\ntwo words\ndog\n' >ls/classes.txt
cat >ls/notes.json <<'JSON'
{
  "categories": [
    {
      "id": 0,
      "name": "cat"
    },
    {
      "id": 1,
      "name": "two words"
    },
    {
      "id": 2,
      "name": "dog"
    }
  ],
  "info": {"year": 2026, "version": "1.0", "contributor": "Label Studio"}
}
JSON
goes_through "Label Studio" ls "4 pictures, 4 objects" ""
printf 'dog\ntwo words\ncat\n' >ls/classes.txt
for command in "check ls" "anchors ls" "eval ls --run run" "convert ls --out x2" "train --data ls --cfg three.cfg --dry-run" \
    "init --data ls --base three.cfg --out x2"; do
    # shellcheck disable=SC2086 # several words
    try "Label Studio: classes.txt in another order: ${command%% *}" "$YOLO" $command
    status 2
    one_error 'ls/classes.txt:1: dog, but ls/notes.json:4 names class 0 cat \(labels are numbered as notes.json says'
done
rm ls/classes.txt
goes_through "Label Studio, notes.json alone" ls "4 pictures, 4 objects" ""

# ---- pylabel 0.1.55: a class as 0.0000, four decimals, blanks for nothing ----
mkdir pl
pictures pl/images 0 1 2 3
label_files pl/labels 0 1 2
sed -i -E 's/^([0-9])/\1.0000/; s/([0-9]\.[0-9]{4})[0-9]{2}/\1/g' pl/labels/*.txt
printf ' \n' >pl/labels/000003.txt
printf 'path: .\ntrain: images\nval: images\nnc: 3\nnames: [cat, two words, dog]\n' >pl/dataset.yaml
pictures pl/val/images 4
mkdir pl/val/labels
cp pl/labels/000002.txt pl/val/labels/000004.txt
sed 's|^val: .*|val: val/images|' pl/dataset.yaml >pl/parts.yaml
goes_through pylabel pl/parts.yaml "4 pictures, 4 objects" "1 objects"
try "pylabel: check" "$YOLO" check pl/dataset.yaml
no_out 'not "class'
no_out 'class-range'
try "pylabel: boxes" "$YOLO" anchors pl/dataset.yaml -n 2
out '^4 boxes of 4 pictures'

# ---- globox 2.9.0: COCO ids from 0; its Darknet lines ----
mkdir gl
pictures gl 0 1 2 3
awk -v n=0 'BEGIN { printf "{\"images\": ["; for (i = 0; i < 4; i++) printf "%s{\"id\": %d, \"file_name\": \"00000%d.jpg\", \"width\": 64, \"height\": 64}", i ? ", " : "", i, i
    printf "], \"annotations\": [" }
    { split(FILENAME, p, "/"); printf "%s{\"iscrowd\": 0, \"image_id\": %d, \"bbox\": [%g, %g, %g, %g], \"area\": %g, \"category_id\": %d, \"id\": %d}", n ? ", " : "",
      substr(p[2], 6, 1), 64 * ($2 - $4 / 2), 64 * ($3 - $5 / 2), 64 * $4, 64 * $5, 4096 * $4 * $5, $1, n++ }
    END { print "], \"categories\": [{\"id\": 0, \"name\": \"cat\"}, {\"id\": 1, \"name\": \"two words\"}, {\"id\": 2, \"name\": \"dog\"}]}" }' \
    labels/00000?.txt >gl/annotations.json
goes_through "globox, COCO" gl/annotations.json "4 pictures, 6 objects" ""
echo '[{"image_id": 0, "category_id": 0, "bbox": [24, 24, 16, 16], "score": 0.9}]' >hit.json
try "a hit on annotation 0 counts" "$YOLO" eval gl/annotations.json --results hit.json --format json
json 'v["AR1"] > 0'

# ---- COCO: where the pictures are ----
place() { # NAME JSON PICTURES: the file at JSON, its pictures in the folder
    rm -rf co
    mkdir -p "co/$(dirname "$2")" "co/$3"
    cp gl/annotations.json "co/$2"
    cp gl/*.jpg "co/$3/"
    for command in "check co/$2" "anchors co/$2 -n 2" "convert co/$2 --out co/out" "eval co/$2 --run run" \
        "train --data co/$2 --cfg three.cfg --weights none --dry-run" "init --data co/$2 --base three.cfg --weights none --imgsz 64 --out co/net"; do
        # shellcheck disable=SC2086 # several words
        try "COCO, $1: ${command%% *}" "$YOLO" $command ${4:+--images $4}
        [ "$last_status" -eq 0 ] || fault "status $last_status"
        no_err 'does not exist'
    done
}
place "beside" instances.json .
place "SPLIT" instances_val2017.json val2017
place "images" annotations.json images
place "images above" annotations/instances_default.json images
place "images/SPLIT above (CVAT, Datumaro)" annotations/instances_train.json images/train
place "SPLIT above (COCO itself)" annotations/instances_val2017.json val2017
place "data (FiftyOne)" labels.json data
place "Roboflow" train/_annotations.coco.json train
place "--images" here/instances.json there co/there
mv co/there co/elsewhere
try "nowhere" "$YOLO" check co/here/instances.json
status 2
one_error 'none of the 4 pictures exists \(they are looked for in .*--images DIR'
for command in "check dy/obj.data" "train --data dy/obj.data --cfg three.cfg --dry-run" "anchors dy" "eval dy/train.txt --run run" \
    "init --data dy --base three.cfg --out x3" "convert dy/obj.data --out x3"; do
    # shellcheck disable=SC2086 # several words
    try "--images for what is no COCO file: ${command%% *}" "$YOLO" $command --images gl
    status 2
    one_error -- '--images'
done
try "one --images a file: convert" "$YOLO" convert gl/annotations.json co/here/instances.json --images gl --images co/elsewhere --out x4
status 0
try "one --images a file: check" "$YOLO" check gl/annotations.json co/here/instances.json --images gl --images co/elsewhere
out '^  4 pictures'
try "two for one" "$YOLO" convert gl/annotations.json --images gl --images co --out x5
status 2
one_error '2 --images for 1 files'

# ---- folders: Roboflow's without a description, COCO's own ----
rm rf/data.yaml
printf 'cat\ntwo words\ndog\n' >rf/train/_darknet.labels
goes_through "Roboflow, Darknet export" rf "3 pictures, 4 objects" "2 objects"
mkdir -p cf/annotations cf/train2017 cf/val2017
cp gl/*.jpg cf/train2017/
other_pictures() { # FOLDER: four that no training set here has, by the names of annotations.json
    local n
    for n in 0 1 2 3; do cp "set/images/train/00000$((n + 4)).jpg" "$1/00000$n.jpg"; done
}
other_pictures cf/val2017
cp gl/annotations.json cf/annotations/instances_train2017.json
cp gl/annotations.json cf/annotations/instances_val2017.json
goes_through "COCO's folder" cf "4 pictures, 6 objects" "6 objects"
mkdir -p rc/train rc/valid
cp gl/* rc/train/
cp gl/* rc/valid/
other_pictures rc/valid
for part in train valid; do mv rc/$part/annotations.json rc/$part/_annotations.coco.json; done
goes_through "Roboflow, COCO export" rc "4 pictures, 6 objects" "6 objects"

# ---- Ultralytics 8.4.190, NDJSON ----
mkdir nd
pictures nd/images/train 0 1 2
pictures nd/images/val 3
{
    echo '{"type": "dataset", "task": "detect", "name": "things", "class_names": {"0": "cat", "1": "two words", "2": "dog"}, "version": 1}'
    for part in "train 0 1 2" "val 3"; do
        for n in ${part#* }; do
            printf '{"type": "image", "file": "00000%s.jpg", "url": "https://example.org/00000%s.jpg", "width": 64, "height": 64, "split": "%s", "annotations": {"boxes": [%s]}}\n' \
                "$n" "$n" "${part%% *}" "$(awk '{ printf "%s[%s, %s, %s, %s, %s]", (NR > 1 ? ", " : ""), $1, $2, $3, $4, $5 }' "labels/00000$n.txt")"
        done
    done
} >nd/things.ndjson
goes_through "Ultralytics, NDJSON" nd/things.ndjson "3 pictures, 4 objects" "2 objects"
goes_through "Ultralytics, NDJSON, its folder" nd "3 pictures, 4 objects" "2 objects"
try "NDJSON: init" "$YOLO" init --data nd/things.ndjson --base three.cfg --weights none --imgsz 64 --out ndnet
status 0
try "NDJSON: what init wrote" "$YOLO" check ndnet/ndnet.data
out '^  3 pictures'
out '^  1 pictures'
try "NDJSON: to COCO" "$YOLO" convert nd/things.ndjson --out ndcoco
json 'count("^annotations.*\\.id$") == 4' ndcoco/train.json
try "NDJSON: a cleaned copy" "$YOLO" check nd/things.ndjson --fix ndfix
holds diff <(awk '{ printf "%s %.6f %.6f %.6f %.6f\n", $1, $2, $3, $4, $5 }' ndfix/labels/train/000000.txt) labels/000000.txt
mv nd/images nd/pics
try "NDJSON: pictures that are not there" "$YOLO" check nd/things.ndjson
status 2
one_error 'none of the 3 pictures exists'
mv nd/pics elsewhere
try "NDJSON: --images" "$YOLO" anchors nd/things.ndjson --images elsewhere -n 2
status 0
out '^4 boxes of 3 pictures'
sed 's/"val"/"vla"/' nd/things.ndjson >bad.ndjson
for command in "check bad.ndjson" "anchors bad.ndjson" "eval bad.ndjson --run run" "convert bad.ndjson --out x6" \
    "train --data bad.ndjson --cfg three.cfg --dry-run" "init --data bad.ndjson --base three.cfg --out x6"; do
    # shellcheck disable=SC2086 # several words
    try "bad NDJSON: ${command%% *}" "$YOLO" $command
    status 2
    one_error 'bad.ndjson:5: split: "vla" is no split'
done
finish
