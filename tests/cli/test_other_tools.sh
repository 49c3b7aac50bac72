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
finish
