#!/usr/bin/env bash
# The script in Python that turns Pascal VOC into ours (scripts/voc_to_yolo.py): what it writes is a clean
# set, faults are told with their place; the shared sets come through whole. Needs python3 alone.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

cd "$work" || exit 1
python=${PYTHON:-python3}
prepare "$YOLO" synth set --train 6 --val 3 --size 160x120 -q

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

# Pixels: from 1 with both ends, or edges from 0; a pixel of 160 x 120 pictures is .00625 x .008333.
box() { # XMIN YMIN XMAX YMAX [SIZE]: xml/000000.xml
    echo "<annotation>${5-<size><width>160</width><height>120</height></size>}
<object><name>a</name><bndbox><xmin>$1</xmin><ymin>$2</ymin><xmax>$3</xmax><ymax>$4</ymax></bndbox></object></annotation>" \
        >xml/000000.xml
}
label() { # FOLDER TEXT
    holds diff "$1/labels/000000.txt" - <<<"$2"
}
echo 000000 >one.txt
box 1 1 160 120
try "VOC from 1: the whole picture" "$voc" --images jpeg --annotations xml --lists one.txt --out from1
status 0; no_err 'before pixel 1'; no_out 'cut'; label from1 '0 0.500000 0.500000 1.000000 1.000000'
box 81 61 81 61
try "VOC from 1: a pixel" "$voc" --images jpeg --annotations xml --lists one.txt --out pixel
status 0; label pixel '0 0.503125 0.504167 0.006250 0.008333'
box 0 0 160 120
try "VOC from 0: the whole picture" "$voc" --images jpeg --annotations xml --lists one.txt --pixels-from 0 --out from0
status 0; no_err 'before pixel 1'; no_out 'cut'; label from0 '0 0.500000 0.500000 1.000000 1.000000'
try "VOC from 0, read from 1" "$voc" --images jpeg --annotations xml --lists one.txt --out mixed
status 0; err '1 boxes begin before pixel 1: .*--pixels-from 0'; out '^1 boxes cut at the border'
for size in '' '<size><width>0</width><height>0</height></size>' '<size><width>160</width></size>'; do
    box 1 1 80 60 "$size"
    rm -rf sized
    try "VOC without a size: '$size'" "$voc" --images jpeg --annotations xml --lists one.txt --out sized
    status 0; err '000000.xml: no size: that of jpeg/000000.jpg is taken, 160 x 120'
    label sized '0 0.250000 0.250000 0.500000 0.500000'
done
mkdir -p kinds
head -c 3 jpeg/000000.jpg >kinds/000000.jpg
try "VOC without a size or a picture" "$voc" --images kinds --annotations xml --lists one.txt --out sizeless
status 1; err '000000.xml: no size of the picture .* nor is it found in kinds/000000.jpg'

cat >sizes.py <<'PY'
import pathlib, struct, sys
root = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(root / "scripts"))
import voc_to_yolo
exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x112, 3, 1, 6, 0, 0)
frame = b"\xff\xc2" + struct.pack(">HBHHB", 8, 8, 7, 5, 0)
heads = {
    "a.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 5, 7),
    "a.gif": b"GIF89a" + struct.pack("<HH", 5, 7),
    "a.bmp": b"BM" + bytes(12) + struct.pack("<Iii", 40, 5, -7),
    "a.ppm": b"P6 # five\n5\n# seven\n7 255\n",
    "a.tga": bytes(12) + struct.pack("<HH", 5, 7) + b"\x18\0",
    "a.jpg": b"\xff\xd8\xff\xfe\0\4ab\xff" + frame,
    "turned.jpg": b"\xff\xd8\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif + frame,
}
for name, data in heads.items():
    path = pathlib.Path(name)
    path.write_bytes(data)
    size = voc_to_yolo.picture_size(path)
    assert size == ((7, 5) if name == "turned.jpg" else (5, 7)), (name, size)
    for cut in range(len(data) - 1 if name != "a.tga" else 15):
        path.write_bytes(data[:cut])
        try:
            assert voc_to_yolo.picture_size(path) == size, (name, cut)
        except (ValueError, IndexError, struct.error):
            pass
PY
try "sizes of pictures of every kind" "$python" sizes.py "$root"
status 0

# There and back: what detect writes comes back to the pixel, by either convention.
mkdir -p seen
cp jpeg/00000[0-2].jpg seen/
for from in 1 0; do
    try "detect's VOC, pixels from $from" "$YOLO" detect seen --cfg "$root/tests/golden/tiny.cfg" \
        --weights "$root/tests/golden/tiny.weights" --conf .4 --format voc --pixels-from $from --no-save --out "found$from"
    status 0
    try "and back" "$voc" --images seen --annotations "found$from" --pixels-from $from --classes class_0,class_1 --out "again$from"
    status 0; no_err 'cut|before|area'; no_out 'cut'
done
holds diff -r again1/labels again0/labels
holds test "$(cat again1/labels/*.txt | wc -l)" -gt 10
try "as detect's own boxes, to half a pixel" "$YOLO" detect seen --cfg "$root/tests/golden/tiny.cfg" \
    --weights "$root/tests/golden/tiny.weights" --conf .4 --format yolo --no-save --out plain
status 0
for name in 000000 000001 000002; do
    holds test "$(paste -d' ' plain/labels/$name.txt again1/labels/$name.txt | awk '
        function far(a, b, n) { return (a - b) * n > .51 || (b - a) * n > .51 }
        { d += $1 != $6 || far($2 - $4 / 2, $7 - $9 / 2, 160) || far($2 + $4 / 2, $7 + $9 / 2, 160) ||
               far($3 - $5 / 2, $8 - $10 / 2, 120) || far($3 + $5 / 2, $8 + $10 / 2, 120) } END { print d + 0 }')" -eq 0
done

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
    try "aquarium as it was exported" "$YOLO" check aqua/data.yaml --no-images
    out '^summary: 0 errors'; out '^  448 pictures'; out '^  127 pictures'
    try "its test part" "$YOLO" check aqua/test/images --no-images
    out 'IMG_2423.*a box of '; out 'IMG_2570.*a box of '; out '2 boxes without area'; out '^  63 pictures'
    try "aquarium to COCO" "$YOLO" convert aqua/data.yaml --out aqua_coco
    err 'valid.json: 127 pictures, 909 boxes'
    try "and back" "$YOLO" convert aqua_coco/valid.json --images aqua/valid/images --out aqua_back
    status 0; holds labels_agree aqua/valid/labels aqua_back/labels/valid
    "$voc" --images "$data/bccd/images" --annotations "$data/bccd/annotations" \
        --lists "$data/bccd/val.txt" --pixels-from 0 --out bccd >/dev/null 2>&1
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
    try "bccd: the pixels of the XML" "$python" pixels.py "$data/bccd/annotations"
    status 0
else
    skip "aquarium, bccd and raccoon" "no shared data (set YOLO_SHARED)"
    finish
fi

for set in bccd raccoon; do
    "$voc" --images "$data/$set/images" --annotations "$data/$set/annotations" \
        --lists "$data/$set/train.txt" "$data/$set/val.txt" --pixels-from 0 --out "$set.voc" >"$set.log" 2>&1
done
try "bccd: two boxes without area are left out by name" cat bccd.log
out 'BloodImage_00338.xml:158: RBC: a box without area \(504 337 504 337\)'
out 'BloodImage_00343.xml:[0-9]+: RBC: a box without area \(181 329 181 329\)'; out '^2 boxes without area'
try "bccd: no errors once converted" "$YOLO" check bccd.voc/voc.data
out '^summary: 0 errors'; no_out '\[(copy|overlap|zero-size)\]'
out 'BloodImage_00037.*looks like.*BloodImage_00038.*\[similar-overlap\]'
holds test "$(grep -c '\[similar' out)" -eq 1
try "raccoon: four pictures twice, two at other sizes" "$YOLO" check raccoon.voc/voc.data
status 3; out '^summary: 0 errors, 4 warnings, 2 notes'; holds test "$(grep -c '\[copy\]' out)" -eq 4
out 'raccoon-52.jpg: looks like .*raccoon-50.jpg'; holds test "$(grep -c '\[similar\]' out)" -eq 2

# ---- training on them ----
rm -r set # lib_train makes its own
# shellcheck source=tests/cli/lib_train.sh
. "$root/tests/cli/lib_train.sh"
train_on() { # SET CLASSES PICTURES OBJECTS
    sed "s/classes=5/classes=$2/; s/filters=20/filters=$((2 * (5 + $2)))/" tiny.cfg >"tiny$2.cfg"
    sed -i '/^valid/d' "$1.voc/voc.data"
    try "VOC XML to training: $1" "$YOLO" train --data "$1.voc/voc.data" --cfg "tiny$2.cfg" --iters 2 --warmup 0 \
        --no-augment --out "$1-run"
    status 0
    no_err 'warning: .*\.txt'
    err ": $3 pictures, $4 objects;"
}
train_on bccd 3 205 2804
train_on raccoon 1 160 174
finish
