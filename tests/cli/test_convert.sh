#!/usr/bin/env bash
# yolo convert: COCO to YOLO and back again. Of the scripts beside it: tests/oracles/test_scripts.sh.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$work" || exit 1
prepare "$YOLO" synth set --train 6 --val 3 --size 160x120 -q

# A COCO file as lines, sorted: pictures, categories, and the boxes of each picture in their order. KEY: "id", or
# "file_name" for files whose ids differ. Crowds are left out.
coco_lines() { # FILE KEY
    "$helpers/flat" "$1" | LC_ALL=C awk -v key="$2" '
    {
        at = index($0, "=")
        path = substr($0, 1, at - 1)
        value = substr($0, at + 1)
        gsub(/^"|"$/, "", value)
        split(path, part, /[].[]+/) # images 3 file_name; annotations 5 bbox 2
        v[part[1], part[2], part[3] (part[4] == "" ? "" : part[4])] = value
        if (part[2] + 1 > n[part[1]]) { n[part[1]] = part[2] + 1 }
    }
    function name_of(i,    name) {
        name = v["images", i, key]
        if (key == "file_name") { sub(/.*\//, "", name) }
        return name
    }
    END {
        for (i = 0; i < n["images"]; i++) {
            picture[v["images", i, "id"]] = name_of(i)
            print "picture", name_of(i), v["images", i, "width"], v["images", i, "height"]
        }
        for (i = 0; i < n["categories"]; i++) {
            class[v["categories", i, "id"]] = v["categories", i, "name"]
            print "class", key == "id" ? v["categories", i, "id"] : "-", v["categories", i, "name"]
        }
        for (i = 0; i < n["annotations"]; i++) {
            if (v["annotations", i, "iscrowd"] + 0) { continue }
            p = picture[v["annotations", i, "image_id"]]
            c = v["annotations", i, "category_id"]
            printf "box %s %06d %s %s", p, ++boxes[p], class[c], key == "id" ? c : "-"
            for (k = 0; k < 4; k++) { printf " %s", v["annotations", i, "bbox" k] }
            print ""
        }
    }' | LC_ALL=C sort
}
# Two .json say the same of pictures and boxes, boxes to LIMIT pixels; no annotation id of the second is used twice.
same() { # A B LIMIT [KEY]
    try "$1 and $2 agree" true
    coco_lines "$1" "${4:-id}" >a.lines
    coco_lines "$2" "${4:-id}" >b.lines
    agree "$3" a.lines b.lines >differs || fault "$(cat differs)"
    [ -z "$("$helpers/flat" "$2" | grep '^annotations\[[0-9]*\]\.id=' | cut -d= -f2 | sort | uniq -d)" ] ||
        fault "an annotation id is used twice"
}

# ---- to COCO and back ----
try "a .data file to COCO" "$YOLO" convert set/synth.data --out json
status 0; out_empty; err 'json/train.json: 6 pictures, [0-9]+ boxes'; err 'file_name counts from .*set/images/val/'
json 'v["info.description"] != ""' json/train.json # pycocotools 2.0.9 and 2.0.10 load no results against a file without it
try "and back" "$YOLO" convert json/train.json --images set/images/train --out back
status 0; holds labels_agree set/labels/train back/labels/train; holds cmp set/synth.names back/back.names
holds cmp set/images/train/000003.jpg back/images/train/000003.jpg; holds test -L back/images/train/000003.jpg
try "what came back is a clean set" "$YOLO" check back/back.data
status 0
try "a list to one .json, pictures named" "$YOLO" convert set/train.txt --names set/synth.names --out one.json
status 0
same json/train.json one.json 0
try "no names" "$YOLO" convert set/images/val --out unnamed.json
status 0; holds grep -q '"class_0"' unnamed.json
try "COCO in, numbers out: eval reads it" "$YOLO" check json/train.json --no-images
status 2; one_error 'none of the 6 pictures'

# ---- COCO as it is: ids with gaps, out of order, crowds, empty pictures, cut and empty boxes ----
mkdir -p coco/sub
cp set/images/train/000000.jpg coco/b.jpg
cp set/images/train/000001.jpg coco/a.jpg
cp set/images/train/000002.jpg coco/sub/c.jpg
cat >coco/instances_val2017.json <<'END'
{"info": {"x": [1, {"images": []}]}, "annotations": [
 {"id": 900, "image_id": 42, "category_id": 90, "bbox": [10.25, 20.5, 33.33, 44.44], "iscrowd": 0, "area": 7},
 {"id": 901, "image_id": 7, "category_id": 1, "bbox": [0, 0, 160, 120], "iscrowd": 1},
 {"id": 902, "image_id": 7, "category_id": 1, "bbox": [0.01, 0.02, 1.23, 2.34], "iscrowd": 0},
 {"id": 903, "image_id": 42, "category_id": 13, "bbox": [159, 119, 1, 1]},
 {"id": 904, "image_id": 42, "category_id": 1, "bbox": [3, 3, 0.00004, 9]}],
 "images": [{"id": 42, "file_name": "b.jpg", "width": 160, "height": 120},
  {"id": 7, "file_name": "a.jpg", "width": 160, "height": 120},
  {"id": 100000000001, "file_name": "sub/c.jpg", "width": 160, "height": 120}],
 "categories": [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}, {"id": 13, "name": "stop sign"}]}
END
try "COCO to YOLO" "$YOLO" convert coco/instances_val2017.json --out yolo
status 0; err 'yolo: 3 pictures, 4 boxes; 1 crowd regions left out'
holds diff yolo/yolo.names <(printf 'person\nstop sign\ntoothbrush\n')
holds diff yolo/val2017.txt <(printf 'images/val2017/%s\n' b.jpg a.jpg sub/c.jpg)
holds test -f yolo/labels/val2017/sub/c.txt -a ! -s yolo/labels/val2017/sub/c.txt
holds diff yolo/labels/val2017/b.txt - <<'END'
2 0.168219 0.356000 0.208312 0.370333
1 0.996875 0.995833 0.006250 0.008333
0 0.018750 0.062500 2.49999999e-07 0.075000
END
try "ids of the original, by name" "$YOLO" convert yolo/val2017.txt --names yolo/yolo.names \
    --annotations coco/instances_val2017.json --out ids.json
status 0
same coco/instances_val2017.json ids.json 0.001
try "ids of our own" "$YOLO" convert yolo/val2017.txt --names yolo/yolo.names --out own.json
status 0; holds grep -q '{"id":1,"name":"person"}' own.json
same coco/instances_val2017.json own.json 0.001 file_name
try "crowds as boxes, pictures as copies" "$YOLO" convert coco/instances_val2017.json --out crowds --keep-crowds --copy
status 0; holds grep -q '^0 0.500000 0.500000 1.000000 1.000000$' crowds/labels/val2017/a.txt
holds test ! -L crowds/images/val2017/a.jpg; holds cmp coco/a.jpg crowds/images/val2017/a.jpg
mkdir -p robo/train robo/valid
cp coco/a.jpg robo/train/a.jpg
cp coco/b.jpg robo/valid/b.jpg
sed 's/"b.jpg"/"nowhere.jpg"/' coco/instances_val2017.json >robo/train/_annotations.coco.json
cp coco/instances_val2017.json robo/valid/_annotations.coco.json
try "a COCO export of Roboflow" "$YOLO" convert robo/train/_annotations.coco.json robo/valid/_annotations.coco.json \
    --out robo_yolo
status 3; holds grep -qx 'train = train.txt' robo_yolo/robo_yolo.data; holds grep -qx 'valid = valid.txt' robo_yolo/robo_yolo.data
holds diff robo_yolo/train.txt <(echo images/train/a.jpg)
holds diff robo_yolo/valid.txt <(echo images/valid/b.jpg)

# ---- pictures that are not there ----
err 'robo_yolo: 2 pictures, 4 boxes; 1 crowd regions left out .*; 4 faulty entries left out'
err 'train/_annotations.coco.json:7: images\[0\]: .*robo/train/nowhere.jpg does not exist'
err 'valid/_annotations.coco.json:9: images\[2\]: .*robo/valid/sub/c.jpg does not exist'
holds diff <(find robo_yolo -name '*.txt' | sort) - <<'END'
robo_yolo/labels/train/a.txt
robo_yolo/labels/valid/b.txt
robo_yolo/train.txt
robo_yolo/valid.txt
END
try "what is left is a clean set" "$YOLO" check robo_yolo/robo_yolo.data
no_out 'no-label|no-image'; no_err 'no label file'
absent() { # FILE COUNT: b.jpg is there, COUNT others are not
    {
        printf '{"annotations": [], "categories": [{"id": 1, "name": "x"}], "images": ['
        for name in b $(seq 0 $(($2 - 1))); do
            printf '{"id": %d, "file_name": "%s.jpg", "width": 160, "height": 120},' "$((++picture))" "$name"
        done | sed 's/,$//'
        echo ']}'
    } >"$1"
}
picture=0
absent coco/seven.json 7
absent nothing.json 2
try "many: the first five, and how many in all" "$YOLO" convert coco/seven.json --out seven
status 3; err 'coco/seven.json: 7 pictures that do not exist in all'; err 'seven: 1 pictures, 0 boxes; 7 faulty entries left out'
holds test "$(grep -c 'does not exist$' err)" -eq 5
try "none at all" "$YOLO" convert nothing.json --out nothing
status 2; one_error 'nothing.json: none of the 3 pictures exists \(.*--images DIR'; holds test ! -e nothing
try "none at all of one of two files" "$YOLO" convert coco/seven.json nothing.json --out nothing
status 2; one_error 'nothing.json: none of the 3 pictures'; holds test ! -e nothing

# ---- labels are found by the last folder images: none may lie below ours ----
mkdir -p below/images/images below/images_
for name in images/a images/images/a images_/a; do
    cp coco/a.jpg "below/$name.jpg"
done
cat >below/images.json <<'END'
{"images": [{"id": 1, "file_name": "images/a.jpg", "width": 160, "height": 120},
 {"id": 2, "file_name": "images/images/a.jpg", "width": 160, "height": 120},
 {"id": 3, "file_name": "images_/a.jpg", "width": 160, "height": 120}],
 "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 10, 50], "iscrowd": 0},
 {"id": 2, "image_id": 2, "category_id": 1, "bbox": [2, 2, 20, 50], "iscrowd": 0},
 {"id": 3, "image_id": 3, "category_id": 1, "bbox": [3, 3, 30, 50], "iscrowd": 0}],
 "categories": [{"id": 1, "name": "x"}]}
END
try "folders called images" "$YOLO" convert below/images.json --out apart
status 0; err 'apart: 3 pictures, 3 boxes'
holds diff apart/images_.txt <(printf 'images/images_/%s/a.jpg\n' images_ images_/images_ images__)
try "the labels are found" "$YOLO" check apart/apart.data --no-images
out ' 3 boxes'; no_out 'no-label|orphan'; no_err 'no label file'
try "back to COCO" "$YOLO" convert apart/images_.txt --names apart/apart.names --out apart.json
status 0; err '3 pictures, 3 boxes'; holds grep -q '"file_name":"images_/images_/a.jpg"' apart.json
sed 's/"images_\/a.jpg"/"b.jpg"/' below/images.json >below/train2017.json
cp coco/b.jpg below/b.jpg
try "one folder of that name" "$YOLO" convert below/train2017.json --out apart2
status 0; holds diff apart2/train2017.txt <(printf 'images/train2017/%s\n' images_/a.jpg images_/images_/a.jpg b.jpg)
try "back with the ids of the original" "$YOLO" convert apart2/train2017.txt --names apart2/apart2.names \
    --annotations below/train2017.json --out apart2.json
status 0; same below/train2017.json apart2.json 0.001

# ---- faults: told with their place, nothing else lost ----
mkdir -p pictures/inner
cp coco/a.jpg pictures/outside.jpg
cp coco/a.jpg pictures/inner/x.jpg
cp coco/a.jpg pictures/inner/x.png
cp coco/a.jpg pictures/inner/y.jpg
cat >bad.json <<'END'
{"images": [{"id": 1, "file_name": "../outside.jpg", "width": 160, "height": 120},
 {"id": 2, "file_name": "x.jpg", "width": 160, "height": 120}, {"id": 3, "file_name": "x.png", "width": 9, "height": 9},
 {"id": 4, "file_name": "y.jpg", "width": 160, "height": 120}],
 "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]},
 {"id": 2, "image_id": 2, "category_id": 1, "bbox": [1, 1, 0, 5]},
 {"id": 3, "image_id": 2, "category_id": 1, "bbox": [500, 1, 5, 5]},
 {"id": 4, "image_id": 4, "category_id": 8, "bbox": [1, 1, 5, 5]},
 {"id": 5, "image_id": 9, "category_id": 1, "bbox": [1, 1, 5, 5]},
 {"id": 6, "image_id": 2, "category_id": 1, "bbox": [-5, -5, 10, 10]}],
 "categories": [{"id": 1, "name": "a\nb"}]}
END
ls >before
try "faulty entries" "$YOLO" convert bad.json --images pictures/inner --out bad
status 3; err 'bad: 2 pictures, .*2 boxes; 5 faulty entries left out'
err 'bad.json:5: annotations\[1\]: a box of 0 x '; err 'bad.json:6: annotations\[2\]: .*outside the picture$'
err 'bad.json:7: annotations\[3\]: no category of id 8'; err 'bad.json:8: annotations\[4\]: no image of id 9'
err 'bad.json: 1 of 4 pictures have annotations that cannot be used: left out'; holds test ! -e bad/labels/bad/y.txt
err 'bad.json:2: images\[2\]: another picture has this file_name'
holds test "$(cat bad/bad.names)" = 'a b'
holds test "$(comm -3 before <(ls))" = $'\tbad'
holds test -s bad/labels/bad/outside.txt; holds test -e bad/images/bad/outside.jpg
printf '{"images": [' >cut.json
try "a file that ends early" "$YOLO" convert cut.json --out cut
status 2; one_error 'cut.json:1: '; holds test ! -e cut
printf '{"images": [{"id": 1, "file_name": "coco/a.jpg", "width": 160, "height": 120}], "annotations": [],
 "categories": []}' >classless.json
try "no categories" "$YOLO" convert classless.json --out classless
status 2; one_error 'classless.json: no categories \('
sed 's/toothbrush/brush/' coco/instances_val2017.json >other.json
try "files of other categories" "$YOLO" convert coco/instances_val2017.json other.json --out mixed
status 2; one_error 'other.json: its categories are not those of'; holds test ! -e mixed
try "two files of one name" "$YOLO" convert coco/instances_val2017.json yolo/../coco/instances_val2017.json --out twice
status 2; one_error 'would both become the set val2017'
try "a folder in use" "$YOLO" convert json/train.json --out set
status 2; one_error 'set: exists and is not empty'
try "a .json in use" "$YOLO" convert set/train.txt --out own.json
status 2; one_error 'own.json: exists'
try "no input" "$YOLO" convert
status 2; one_error 'an input is missing'
try "no output" "$YOLO" convert json/train.json
status 2; one_error '--out is missing'
try "no such input" "$YOLO" convert none.json --out none
status 2; one_error 'none.json: no such file'
try "an option of the other direction" "$YOLO" convert json/train.json --names set/synth.names --out none
status 2; one_error '--names acts only when converting to COCO'
try "two sets, one .json" "$YOLO" convert set/synth.data --out two.json
status 2; one_error 'has two sets'
try "a picture that the annotations lack" "$YOLO" convert set/val.txt --names yolo/yolo.names \
    --annotations coco/instances_val2017.json --out lack.json
status 2; one_error 'no image of that file_name'; holds test ! -e lack.json
cp set/images/train/000004.jpg broken.jpg
head -c 3 broken.jpg >short.jpg
printf '%s\n' broken.jpg short.jpg broken.jpg >list.txt
echo '0 .5 .5 .5 .5' >broken.txt
try "pictures without a size, and given twice" "$YOLO" convert list.txt --out list.json
status 3; err 'short.jpg.*left out'; err 'list.txt:3: broken.jpg is given again'; err '1 pictures, 1 boxes; 2 faulty'

finish
