#!/usr/bin/env bash
# A COCO file with wrong entries, in every command that reads one: each is told with its place and left out, the rest
# is used, and the exit status says so.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$(dirname "$0")/lib_train.sh"

cp set/images/train/00000[0-2].jpg .
head -c 3 000000.jpg >cut.jpg
cat >wrong.json <<'JSON'
{"images": [{"id": 1, "file_name": "000000.jpg"},
            {"id": 2, "file_name": "000001.jpg", "width": null, "height": 0},
            {"id": 3, "file_name": "000002.jpg", "width": 64, "height": 64},
            {"id": 4, "file_name": "cut.jpg"}],
 "categories": [{"id": 3, "name": "a"}, {"id": 90, "name": "b"}],
 "annotations": [
 {"id": 1, "image_id": 1, "category_id": 90, "bbox": [16, 8, 32, 16]},
 {"id": 2, "image_id": 1, "category_id": 90, "bbox": []},
 {"id": 3, "image_id": 2, "category_id": 3, "bbox": null},
 {"id": 4, "image_id": 2, "category_id": 3},
 {"id": 5, "image_id": 3, "category_id": 3, "bbox": [8, 8, "16", 16]},
 {"id": 6, "image_id": 3, "category_id": null, "bbox": [8, 8, 16, 16]},
 {"id": 7, "image_id": 3, "category_id": 3, "bbox": [8, 8, 16, 16], "area": null, "iscrowd": null}]}
JSON
each() { # COMMAND: what each of them says
    local stream=$1
    "$stream" 'wrong.json:4: .*images\[3\]: no width and height, and cut.jpg'
    "$stream" 'wrong.json:8: .*annotations\[1\].bbox: is empty'
    "$stream" 'wrong.json:9: .*annotations\[2\].bbox: is null'
    "$stream" 'wrong.json:10: .*annotations\[3\].bbox: is missing'
    "$stream" 'wrong.json:11: .*annotations\[4\].bbox\[2\]: is not a finite number'
    "$stream" 'wrong.json:12: .*annotations\[5\].category_id: is not a whole number'
}
try "convert" "$YOLO" convert wrong.json --out yolo
status 3
each err
err 'wrong.json: 2 images have no width and height'
err 'yolo: 3 pictures, 2 boxes; 6 faulty entries left out'
holds diff yolo/labels/wrong/000000.txt - <<<'1 0.500000 0.250000 0.500000 0.250000'
holds [ ! -s yolo/labels/wrong/000001.txt ]
holds diff yolo/labels/wrong/000002.txt - <<<'0 0.250000 0.250000 0.250000 0.250000'
try "check" "$YOLO" check wrong.json
status 3
each out
out '5 annotations without a usable box$'
out '^  3 pictures of 64..64 x 64..64, 1 without boxes; 2 boxes'
try "check as JSON" "$YOLO" check wrong.json --json
status 3
out '"kind":[^"]*"annotation",'
echo '[{"image_id": 1, "category_id": 90, "bbox": [16, 8, 32, 16], "score": 0.9},
 {"image_id": 3, "category_id": 3, "bbox": [8, 8, 16, 16], "score": 0.9}]' >found.json
try "eval" "$YOLO" eval wrong.json --results found.json
status 3
out '^AP50 +1\.0000'
err 'wrong.json:8: annotations\[1\].bbox: is empty'
err 'wrong.json:12: annotations\[5\].category_id: is not a whole number'
err 'annotations and listed pictures left out: 5$'
try "anchors" "$YOLO" anchors wrong.json -n 1 --imgsz 64
status 0
each err
sed 's/classes=5/classes=2/; s/filters=20/filters=14/' tiny.cfg >two.cfg
printf 'classes=2\ntrain=wrong.json\n' >wrong.data
try "train" "$YOLO" train --data wrong.data --cfg two.cfg --dry-run
status 0
each err
err '[0-9]+ labels are unusable and left out'

cat >none.json <<'JSON'
{"images": [{"id": 1, "file_name": "000000.jpg"}], "categories": [{"id": 3}], "annotations": [
 {"image_id": 1, "category_id": 3}, {"image_id": 1, "category_id": 3, "bbox": []}]}
JSON
for command in "convert none.json --out none" "check none.json" "eval none.json --results found.json"; do
    # shellcheck disable=SC2086 # several words
    try "no annotation of use: ${command%% *}" "$YOLO" $command
    status 2
    one_error 'none.json:2: annotations\[0\].bbox: is missing, and none of the others'
done
printf '{"images": [{"id": 1, "file_name": "gone.jpg"}], "categories": [{"id": 3}], "annotations": []}' >gone.json
try "no size and no picture" "$YOLO" convert gone.json --out gone
status 2
one_error 'gone.json: none of the 1 pictures exists'
finish
