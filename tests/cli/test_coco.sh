#!/usr/bin/env bash
# A COCO file with wrong entries, in every command that reads one: each is told with its place and left out, the rest
# is used, and the exit status says so.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$(dirname "$0")/lib_train.sh"

cp set/images/train/00000[0-3].jpg .
head -c 3 000000.jpg >cut.jpg
cat >wrong.json <<'JSON'
{"images": [{"id": 1, "file_name": "000000.jpg"},
            {"id": 2, "file_name": "000001.jpg", "width": null, "height": 0},
            {"id": 3, "file_name": "000002.jpg", "width": 64, "height": 64},
            {"id": 4, "file_name": "cut.jpg"},
            {"file_name": "000001.jpg"},
            {"id": "5", "file_name": "000001.jpg"},
            {"id": 6},
            {"id": 7, "file_name": 7},
            {"id": 8, "file_name": "000003.jpg"}],
 "categories": [{"id": 3, "name": "a"}, {"id": 90, "name": "b"}],
 "annotations": [
 {"id": 1, "image_id": 1, "category_id": 90, "bbox": [16, 8, 32, 16]},
 {"id": 2, "image_id": 8, "category_id": 90, "bbox": []},
 {"id": 3, "image_id": 2, "category_id": 3, "bbox": null},
 {"id": 4, "image_id": 2, "category_id": 3},
 {"id": 5, "image_id": 8, "category_id": 3, "bbox": [8, 8, "16", 16]},
 {"id": 6, "image_id": 2, "category_id": null, "bbox": [8, 8, 16, 16]},
 {"id": 7, "image_id": 2, "category_id": 3, "bbox": [8, 8, 16, 16]},
 {"id": 8, "image_id": 6, "category_id": 3, "bbox": [8, 8, 16, 16]},
 {"id": 9, "image_id": 3, "category_id": 3, "bbox": [8, 8, 16, 16], "area": null, "iscrowd": null}]}
JSON
each() { # COMMAND: what each of them says
    local stream=$1
    "$stream" 'wrong.json:4: .*images\[3\]: no width and height, and cut.jpg'
    "$stream" 'wrong.json:5: .*images\[4\].id: is missing'
    "$stream" 'wrong.json:6: .*images\[5\].id: is not a whole number'
    "$stream" 'wrong.json:7: .*images\[6\].file_name: is missing'
    "$stream" 'wrong.json:8: .*images\[7\].file_name: is not a text'
    "$stream" 'wrong.json:13: .*annotations\[1\].bbox: is empty'
    "$stream" 'wrong.json:14: .*annotations\[2\].bbox: is null'
    "$stream" 'wrong.json:15: .*annotations\[3\].bbox: is missing'
    "$stream" 'wrong.json:16: .*annotations\[4\].bbox\[2\]: is not a finite number'
    "$stream" 'wrong.json:17: .*annotations\[5\].category_id: is not a whole number'
}
left_out='wrong.json: 2 of 4 pictures have annotations that cannot be used: left out'
try "convert" "$YOLO" convert wrong.json --out yolo
status 3
each err
err 'wrong.json: 3 images have no width and height'
err "$left_out"
err 'yolo: 2 pictures, 2 boxes; 10 faulty entries left out'
holds diff yolo/labels/wrong/000000.txt - <<<'1 0.500000 0.250000 0.500000 0.250000'
holds diff yolo/labels/wrong/000002.txt - <<<'0 0.250000 0.250000 0.250000 0.250000'
holds [ ! -e yolo/labels/wrong/000001.txt ]
holds [ ! -e yolo/labels/wrong/000003.txt ]
holds diff yolo/wrong.txt <(printf 'images/wrong/%s.jpg\n' 000000 000002)
try "check" "$YOLO" check wrong.json
status 3
each out
out '5 annotations without a usable box$'
out '^  4 pictures of 64..64 x 64..64, 0 without boxes; 3 boxes'
out '^  2 of the pictures have annotations that cannot be used: train, eval, anchors'
try "check as JSON" "$YOLO" check wrong.json --json
status 3
out '"kind":[^"]*"annotation",'
try "check --fix" "$YOLO" check wrong.json --fix fixed
holds [ "$(wc -l <fixed/train.txt)" -eq 2 ]
echo '[{"image_id": 1, "category_id": 90, "bbox": [16, 8, 32, 16], "score": 0.9},
 {"image_id": 2, "category_id": 3, "bbox": [9, 9, 30, 30], "score": 0.95},
 {"image_id": 6, "category_id": 3, "bbox": [8, 8, 16, 16], "score": 0.9},
 {"image_id": 3, "category_id": 3, "bbox": [8, 8, 16, 16], "score": 0.9}]' >found.json
try "eval" "$YOLO" eval wrong.json --results found.json
status 3
out '^AP50 +1\.0000'
err 'wrong.json:5: images\[4\].id: is missing \(left out\)'
err 'wrong.json:6: images\[5\].id: is not a whole number \(left out\)'
no_err 'file_name' # results by id need none
err 'wrong.json:13: annotations\[1\].bbox: is empty'
err 'wrong.json: 2 of 9 pictures have annotations that cannot be used: left out'
err 'wrong.json: 7 images and annotations left out in all'
err 'left out: 7$'
try "anchors" "$YOLO" anchors wrong.json -n 1 --imgsz 64
status 0
each err
err "$left_out"
out '^2 boxes of 2 pictures'
sed 's/classes=5/classes=2/; s/filters=20/filters=14/' tiny.cfg >two.cfg
printf 'classes=2\ntrain=wrong.json\n' >wrong.data
try "train" "$YOLO" train --data wrong.data --cfg two.cfg --dry-run
status 0
each err
err "$left_out"
floats=$("$YOLO" info --cfg two.cfg --format json -q | grep -o '"parameters":[^,]*' | head -n 1 | tr -dc 0-9)
{
    printf '\0\0\0\0\2\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0'
    head -c $((4 * floats)) /dev/zero
} >two.weights
printf 'a\nb\n' >two.names
try "eval of a network" "$YOLO" eval wrong.json --cfg two.cfg --weights two.weights --names two.names
status 3
err 'wrong.json:7: images\[6\].file_name: is missing \(left out\)'
err 'wrong.json:8: images\[7\].file_name: is not a text \(left out\)'
err "2 of 9 pictures have annotations that cannot be used: left out"
err 'could not be read: 1; .*left out: 9$'
printf '{"images": [{"id": 1, "file_name": "000000.jpg"}, {"id": 2, "file_name": "000001.jpg"}],
 "categories": [{"id": 3, "name": "a"}, {"id": 5, "name": "b"}], "annotations": [
 {"image_id": 1, "category_id": 3, "bbox": [8, 8, 16, 16]},
 {"image_id": 2, "category_id": 3, "bbox": [8, 8, 16, 16]},
 {"image_id": 1, "category_id": 4, "bbox": [8, 8, 16, 16]},
 {"image_id": 2, "category_id": 3, "bbox": [8, 8, -16, 16]}]}' >all.json
for command in "convert all.json --out all" "train --data all.data --cfg two.cfg --dry-run"; do
    printf 'classes=2\ntrain=all.json\n' >all.data
    # shellcheck disable=SC2086 # several words
    try "no picture is left: ${command%% *}" "$YOLO" $command
    status 2
    one_error 'all'
done
holds [ ! -e all ]
printf '{"images": [{"id": null, "file_name": "000000.jpg"}, {"id": [1]}], "categories": [{"id": 3}], "annotations": []}' >noid.json
for command in "convert noid.json --out noid" "check noid.json" "eval noid.json --results found.json"; do
    # shellcheck disable=SC2086 # several words
    try "no image of use: ${command%% *}" "$YOLO" $command
    status 2
    one_error 'noid.json:1: images\[0\].id: is not a whole number, and none of the others'
done

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
