#!/usr/bin/env bash
# yolo convert and the scripts beside it: COCO, YOLO, VOC, Roboflow; there and back again.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$work" || exit 1
if ! command -v python3 >/dev/null; then
    skip "convert" "python3 is needed to compare what was converted"
    finish
fi
"$YOLO" synth set --train 6 --val 3 --size 160x120 -q || echo "FAIL: no set to test with"

# Two .json say the same of pictures and boxes, boxes to LIMIT pixels; crowds of the first may lack in the second.
cat >same.py <<'PY'
import json, sys
a, b, limit = json.load(open(sys.argv[1])), json.load(open(sys.argv[2])), float(sys.argv[3])
key = sys.argv[4] if len(sys.argv) > 4 else "id"
def view(d):
    images = {i["id"]: i for i in d["images"]}
    pictures = {(i[key] if key == "id" else i[key].split("/")[-1]): (i["width"], i["height"]) for i in d["images"]}
    names = {c["id"]: c["name"] for c in d["categories"]}
    boxes = {}
    for n in d["annotations"]:
        if not n.get("iscrowd"):
            i = images[n["image_id"]]
            boxes.setdefault(i[key] if key == "id" else i[key].split("/")[-1], []).append(
                (names[n["category_id"]], n["category_id"] if key == "id" else 0, n["bbox"]))
    return pictures, names, boxes
(pa, na, ba), (pb, nb, bb) = view(a), view(b)
assert pa == pb, (pa, pb)
assert (na == nb) if key == "id" else (sorted(na.values()) == sorted(nb.values())), (na, nb)
assert ba.keys() == bb.keys(), (ba.keys(), bb.keys())
for i in ba:
    assert len(ba[i]) == len(bb[i]), i
    for (x, y) in zip(ba[i], bb[i]):
        assert x[:2] == y[:2] and all(abs(p - q) <= limit for p, q in zip(x[2], y[2])), (i, x, y)
assert len({n["id"] for n in b["annotations"]}) == len(b["annotations"])
PY
same() { # A B LIMIT [KEY]
    try "$1 and $2 agree" true
    python3 same.py "$1" "$2" "$3" ${4+"$4"} 2>py || fault "$(tail -n 1 py)"
}
# shellcheck disable=SC2317 # called through holds
labels_agree() { # DIR DIR: the same label files, numbers to one of the last decimal
    python3 - "$1" "$2" <<'PY'
import pathlib, sys
a, b = ({p.relative_to(d): p.read_text().split() for p in pathlib.Path(d).rglob("*.txt")} for d in sys.argv[1:3])
assert a.keys() == b.keys() and a
for p in a:
    assert len(a[p]) == len(b[p]) and all(abs(float(x) - float(y)) <= 1.5e-6 for x, y in zip(a[p], b[p])), p
PY
}

# ---- to COCO and back ----
try "a .data file to COCO" "$YOLO" convert set/synth.data --out json
status 0; out_empty; err 'json/train.json: 6 pictures, [0-9]+ boxes'; err 'file_name counts from .*set/images/val/'
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
    python3 - "$@" <<'PY'
import json, sys
names = ["b.jpg"] + [f"{i}.jpg" for i in range(int(sys.argv[2]))]
json.dump({"images": [{"id": i, "file_name": name, "width": 160, "height": 120} for i, name in enumerate(names)],
           "annotations": [], "categories": [{"id": 1, "name": "x"}]}, open(sys.argv[1], "w"))
PY
}
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
cat >bad.json <<'END'
{"images": [{"id": 1, "file_name": "../outside.jpg", "width": 160, "height": 120},
 {"id": 2, "file_name": "x.jpg", "width": 160, "height": 120}, {"id": 3, "file_name": "x.png", "width": 9, "height": 9}],
 "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]},
 {"id": 2, "image_id": 2, "category_id": 1, "bbox": [1, 1, 0, 5]},
 {"id": 3, "image_id": 2, "category_id": 1, "bbox": [500, 1, 5, 5]},
 {"id": 4, "image_id": 2, "category_id": 8, "bbox": [1, 1, 5, 5]},
 {"id": 5, "image_id": 9, "category_id": 1, "bbox": [1, 1, 5, 5]},
 {"id": 6, "image_id": 2, "category_id": 1, "bbox": [-5, -5, 10, 10]}],
 "categories": [{"id": 1, "name": "a\nb"}]}
END
ls >before
try "faulty entries" "$YOLO" convert bad.json --images pictures/inner --out bad
status 3; err 'bad: 2 pictures, .*2 boxes; 5 faulty entries left out'
err 'bad.json:4: annotations\[1\]: a box of 0 x '; err 'bad.json:5: annotations\[2\]: .*outside the picture$'
err 'bad.json:6: annotations\[3\]: no category of id 8'; err 'bad.json:7: annotations\[4\]: no image of id 9'
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

# ---- Roboflow ----
roboflow=$root/scripts/roboflow_to_yolo.py
for part in train valid; do
    mkdir -p export/$part/images export/$part/labels
done
cp set/images/train/00000[0-3].jpg export/train/images/
cp set/labels/train/00000[0-3].txt export/train/labels/
cp set/images/val/* export/valid/images/
cp set/labels/val/* export/valid/labels/
printf 'train: ../train/images\nval: ../valid/images\n\nnc: 5\nnames: ["sphere", '"'cube', cylinder, 'a, b', 'it''s']\n" \
    >export/data.yaml
try "a Roboflow export" "$roboflow" export --out flow
status 0; out 'flow: 7 pictures \(train 4, valid 3\), [0-9]+ boxes of 5 classes'
holds diff flow/roboflow.names <(printf '%s\n' sphere cube cylinder 'a, b' "it's")
holds labels_agree export/train/labels flow/labels/train
try "is a clean set" "$YOLO" check flow/roboflow.data
out '^summary: 0 errors'; no_out 'orphan|no-label|overlap|clipped'
printf 'path: x\nnames:\n  0: one\n  1: "two" # second\n  2: three\nnc: 3\n' >export/data.yaml
{
    echo '2 0.1 0.1 0.5 0.1 0.5 0.7 0.1 0.7'
    echo '0 0.5 0.5 0.2 0.2'
    echo '3 0.5 0.5 0.2 0.2'
    echo '0 0.5 0.5 0 0.2'
    echo '0 0.5 0.5 0.2'
    echo '0 nan 0.5 0.2 0.2'
    echo 'zero 0.5 0.5 0.2 0.2'
} >export/train/labels/000000.txt
rm export/train/labels/000001.txt
try "outlines and faulty lines" "$roboflow" export --out flow2
status 0; out '^1 outlines became boxes'; err '000000.txt:3: class 3, but there are 3'; err '000000.txt:4: a box of 0'
err '000000.txt:5: 4 numbers'; err '000000.txt:6: .*not finite'; err '000000.txt:7: .*not all numbers'; err '000001.txt: no such file'
holds diff flow2/labels/train/000000.txt <(printf '2 0.300000 0.400000 0.400000 0.600000\n0 0.5 0.5 0.2 0.2\n')
holds diff flow2/roboflow.names <(printf 'one\ntwo\nthree\n')
printf 'names:\n- one\n- two words\n' >export/data.yaml
try "names as a list" "$roboflow" export --out flow3
holds diff flow3/roboflow.names <(printf 'one\ntwo words\n')
rm export/data.yaml
printf 'uno\ndue\ntre\nquattro\ncinque\n' >export/train/_darknet.labels
mv export/train/images/* export/train/labels/* export/train/
rmdir export/train/images export/train/labels
try "a Darknet export" "$roboflow" export --out flow4
status 0; out 'train 4, valid 3'; holds diff flow4/roboflow.names export/train/_darknet.labels
try "a folder in use" "$roboflow" export --out flow4
status 1; err 'not empty'
try "no export" "$roboflow" set --out flow5
status 1; err 'neither train, valid nor test|neither data.yaml'; holds test ! -e flow5

# ---- Pascal VOC ----
voc=$root/scripts/voc_to_yolo.py
mkdir -p xml
for name in 000000 000001 000002; do
    cat >xml/$name.xml <<'END'
<annotation><size><width>160</width><height>120</height></size>
<object><name>a</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>50</xmax><ymax>60</ymax></bndbox></object></annotation>
END
done
mkdir -p jpeg
cp set/images/train/00000[0-2].jpg jpeg/
printf '%s\n' 000000 000001 >train.txt
echo 000002 >val.txt
try "VOC without lists" "$voc" --images jpeg --annotations xml --out voc1
status 0; err 'voc1/voc.data has no valid line'; holds diff voc1/voc.data - <<'END'
classes = 1
train = train.txt
names = voc.names
backup = backup
END
try "is a clean set" "$YOLO" check voc1/voc.data
out '^summary: 0 errors'; out '^  3 pictures'
try "one list" "$voc" --images jpeg --annotations xml --lists val.txt --out voc2
status 0; err 'voc2/voc.data has no valid line'; holds grep -qx 'train = val.txt' voc2/voc.data
holds test "$(grep -c valid voc2/voc.data)" -eq 0
try "two lists" "$voc" --images jpeg --annotations xml --lists train.txt val.txt --out voc3
status 0; no_err valid; holds grep -qx 'valid = val.txt' voc3/voc.data

# ---- the shared sets ----
data=$SHARED/data
if [ -d "$data" ]; then
    mkdir -p aqua/train/images aqua/train/labels aqua/valid/images aqua/valid/labels aqua/test/images aqua/test/labels
    for pair in train:train val:valid test:test; do
        while read -r name; do
            stem=${name##*/}
            ln -s "$data/aquarium/$name" "aqua/${pair#*:}/images/"
            ln -s "$data/aquarium/labels/${stem%.jpg}.txt" "aqua/${pair#*:}/labels/"
        done <"$data/aquarium/${pair%:*}.txt"
    done
    cp "$data/aquarium/data.yaml" aqua/
    try "aquarium as it was exported" "$roboflow" aqua --out aqua_yolo
    status 0; out '^2 boxes without area'; out '638 pictures \(train 448, valid 127, test 63\), 4815 boxes of 7 classes'
    err 'IMG_2423.*a box of '; err 'IMG_2570.*a box of '
    try "aquarium to COCO" "$YOLO" convert aqua_yolo/valid.txt --names aqua_yolo/roboflow.names --out aqua.json
    status 0; err '127 pictures, 909 boxes'
    try "and back" "$YOLO" convert aqua.json --images aqua_yolo/images/valid --out aqua_back
    status 0; holds labels_agree aqua_yolo/labels/valid aqua_back/labels/aqua
    "$voc" --images "$data/bccd/images" --annotations "$data/bccd/annotations" \
        --lists "$data/bccd/val.txt" --out bccd >/dev/null 2>&1
    try "bccd, from VOC, to COCO" "$YOLO" convert bccd/val.txt --names bccd/voc.names --out bccd.json
    status 0; err '87 pictures, 1137 boxes'
    cat >pixels.py <<'PY'
import glob, json, sys, xml.etree.ElementTree as tree
d = json.load(open("bccd.json"))
names = {c["id"]: c["name"] for c in d["categories"]}
got = {i["file_name"][:-4]: [] for i in d["images"]}
stems = {i["id"]: i["file_name"][:-4] for i in d["images"]}
for a in d["annotations"]:
    x, y, w, h = a["bbox"]
    got[stems[a["image_id"]]].append((names[a["category_id"]], x, y, x + w, y + h))
for stem, boxes in got.items():
    want = [(o.findtext("name"), *(float(o.findtext("bndbox/" + k)) for k in ("xmin", "ymin", "xmax", "ymax")))
            for o in tree.parse(f"{sys.argv[1]}/{stem}.xml").iter("object")]
    want = [b for b in want if b[3] > b[1] and b[4] > b[2]]
    assert len(want) == len(boxes), stem
    for w, b in zip(want, boxes):
        assert w[0] == b[0] and all(abs(p - q) <= 1e-3 for p, q in zip(w[1:], b[1:])), (stem, w, b)
PY
    try "bccd: the pixels of the XML" python3 pixels.py "$data/bccd/annotations"
    status 0
else
    skip "round trips of aquarium and bccd" "$data is not there"
fi
finish
