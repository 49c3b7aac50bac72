#!/usr/bin/env bash
# yolo check on class folders, lists of classes, pictures alone and tables; what a dry run says of them.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_values.sh
. "$root/tests/cli/lib_values.sh"

try "clean class folders" "$YOLO" check set
status 0
out '^train: set/train$'
out '^  16 pictures of 10\.\.10 x 8\.\.8$'
out '^ +0 left +8 +3$'
out '^summary: 0 errors, 0 warnings'
no_out 'box'

cp -r set un
cp un/train/right/1.ppm un/train/left/9.ppm
cp un/train/right/2.ppm un/val/right/again.ppm
printf 'not a picture' >un/train/left/7.ppm
try "what is wrong with class folders" "$YOLO" check un
status 3
out '^un/train/left/7.ppm: error: not a picture .*\[unreadable\]$'
out '^un/val/right/again.ppm: error: is the same file as un/train/right/2.ppm \[overlap\]$'
out '^un/train/right/1.ppm: error: right, and un/train/left/9.ppm, the same, is left \[clash\]$'
try "the same as JSON" "$YOLO" check un --cfg net.cfg --json
status 3
json 'v["sets.train.images"] == 17 && v["summary.kinds.clash"] == 1 && v["summary.kinds.overlap"] == 1 && v["classes[0].train.images"] == 9 && count("backgrounds|train.boxes") == 0'
try "without opening them" "$YOLO" check un --no-images
status 0

find un/train -name '*.ppm' | sort >list.txt
printf 'left\nright\nup\n' >three.names
printf 'left\nright\n' >two.names
try "a list, with the network" "$YOLO" check list.txt --names two.names --cfg net.cfg
status 3
out '^list.txt:[0-9]+: error: un/train/left/7.ppm: not a picture'
out '^list.txt:[0-9]+: error: right, and un/train/left/9.ppm, the same, is left \[clash\]$'
sed 's/^output=2/output=3/' net.cfg >three.cfg
rm un/train/left/[79].ppm
mkdir un/val/up
cp set/val/left/1.ppm un/val/up/x.ppm
find un/train -name '*.ppm' | sort >list.txt
find un/val -name '*.ppm' | sort >val.txt
try "a class of valid that train lacks" "$YOLO" check list.txt val.txt --names three.names --cfg three.cfg
status 3
out '^three.names:3: warning: up: 1 pictures in valid, none in train \[untrained\]$'
try "a class without pictures" "$YOLO" check list.txt --names three.names --cfg three.cfg
status 0
out '^three.names: note: 1 of 3 classes have no pictures: up \[unused\]$'

try "pictures alone" "$YOLO" check set --cfg auto.cfg
status 0
out '^  16 pictures'
no_out 'classes'

printf 'a,b,c\n1,5,2\n2,5,3\n1,5,2\n1,5,7\n900,5,7\n' >t.csv
printf 'a,b,c\n1,5,2\n7,5,1\n' >v.csv
try "tables" "$YOLO" check t.csv v.csv --cfg dense.cfg
status 3
out '^v.csv:2: error: the same row as t.csv:2 \[row-overlap\]$'
out '^t.csv:4: warning: the same row as t.csv:2 \[row-copy\]$'
out '^t.csv:5: note: the features of t.csv:2 with other values \[other-values\]$'
out '^t.csv: warning: column 2 is always 5 \[constant\]$'
out '^t.csv: note: column 1 has a mean of 181 and a deviation of 3.*--standardize.*\[far\]$'
out '^  5 rows$'
try "clean tables" "$YOLO" check train.csv val.csv --cfg dense.cfg
status 0

refuse() { # NAME ERROR WORDS...
    try "$1" "$YOLO" check "${@:3}"
    status 2
    one_error "$2"
}
refuse "a table without a network" 'train.csv: a table does not say which columns are features \(--cfg' train.csv
printf '1,2,3\n4,5\n' >ragged.csv
refuse "a ragged table" 'ragged.csv:2: 2 columns' ragged.csv --cfg dense.cfg
refuse "another number of classes" 'set/train: 2 classes, but the network of three.cfg has 3' set --cfg three.cfg
refuse "a list without classes" 'list.txt: which classes\? \(--names FILE' list.txt --cfg net.cfg
refuse "--fix" '--fix acts only on labelled boxes' set --fix fixed
holds [ ! -e fixed ]
refuse "--draw" '--draw acts only on labelled boxes' set --draw drawn

# ---- what a dry run says ----

try "dry run of a classifier" "$YOLO" train --cfg net.cfg --data set --weights none --dry-run
status 0
out '^data +set: 16 pictures, 8 to 8 of each of 2 classes; validation on 6'
out '^pictures +train_pictures.jpg in the run.s folder$'
rm set/train/left/[3-8].ppm
try "dry run of classes that differ" "$YOLO" train --cfg net.cfg --data set --weights none --dry-run
out '^data +set: 10 pictures, 2 to 8 of each of 2 classes'
try "dry run of an autoencoder" "$YOLO" train --cfg auto.cfg --data set --weights none --dry-run
status 0
out '^pictures +train_pictures.jpg and reconstructions.jpg in the run.s folder$'
try "dry run of a table" "$YOLO" train --cfg dense.cfg --data train.csv --weights none --dry-run
status 0
out '^data +train.csv: 64 rows; no valid= set'
no_out '^pictures'

# ---- the summary tells the truth, also of what is frozen ----

root_cfg=$root/cfg/mnist-encoder.cfg
try "info of a classifier" "$YOLO" info --cfg "$root_cfg"
status 0
out '^task +classification, 10 values$'
out '^parameters +213306 \(212602 trainable, 704 statistics\)'
try "info: a frozen encoder" "$YOLO" info --cfg "$root_cfg" --freeze 0-18 --format json
status 0
json 'v["trainable"] == 66250 && v["frozen"] == 146352 && v["statistics"] == 704 && v["frozen_layers"] == 16 && v["task"] == "classification"'
json 'v["layers[18].trainable"] == 0 && v["layers[19].trainable"] == 65600 && v["layers[20].parameters"] == 0 && v["layers[20].frozen"] == "false"'
try "info: freezing a layer without parameters changes nothing" "$YOLO" info --cfg "$root_cfg" --freeze 20-20 --format json
status 0
json 'v["trainable"] == 212602 && v["frozen"] == 0 && v["frozen_layers"] == 0'
try "info of an autoencoder" "$YOLO" info --cfg "$root/cfg/mnist-autoencoder.cfg"
out '^task +reconstruction, 784 values$'
finish
