#!/usr/bin/env bash
# What yolo writes, read by Python's own parsers of JSON, CSV and XML: the bundled model on its own pictures. Needs
# python3 alone.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
python=${PYTHON:-python3}
model=(--cfg "$root/cfg/tabletop.cfg" --weights "$root/weights/tabletop.weights" --threads 1)
odd=$work/$(printf 'a "b", <c> & \303\251.jpg')
cp "$root/data/tabletop/images/val/000000.jpg" "$odd"
cp "$root/data/tabletop/images/val/000001.jpg" "$work/plain.jpg"
: >"$work/broken.jpg"
for format in json jsonl csv; do
    try "detect: $format" "$YOLO" detect "$odd" "$work/plain.jpg" "$work/broken.jpg" "${model[@]}" --no-save --format $format
    status 3
    mv "$work/out" "$work/found.$format"
done
for format in voc yolo; do
    try "detect: $format" "$YOLO" detect "$odd" "$work/plain.jpg" "${model[@]}" --no-save --format $format --out "$work/$format"
    status 0
done
cat >"$work/read.py" <<'PY'
import csv, json, pathlib, sys, xml.etree.ElementTree as tree
work, odd = pathlib.Path(sys.argv[1]), sys.argv[2]
def boxes(picture):
    return [(o["name"], o["confidence"], *(o["box"][k] for k in ("x1", "y1", "x2", "y2"))) for o in picture["objects"]]
whole = json.loads((work / "found.json").read_text(encoding="utf-8"))
assert [p["image"] for p in whole] == [odd, str(work / "plain.jpg"), str(work / "broken.jpg")], whole
assert "error" in whole[2] and whole[0]["objects"] and whole[1]["objects"]
lines = [json.loads(line) for line in (work / "found.jsonl").read_text(encoding="utf-8").splitlines()]
assert [p.get("objects") for p in lines] == [p.get("objects") for p in whole]
with open(work / "found.csv", newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
want = [(p["image"], *b) for p in whole[:2] for b in boxes(p)]
assert len(rows) == len(want)
for row, (image, name, confidence, *box) in zip(rows, want):
    assert row["image"] == image and row["class"] == name, (row, image, name)
    found = [float(row[k]) for k in ("confidence", "x1", "y1", "x2", "y2")]
    assert all(abs(a - b) <= 1e-2 for a, b in zip(found, [confidence, *box])), (row, box)
for picture in whole[:2]:
    stem = pathlib.Path(picture["image"]).stem
    t = tree.parse(work / "voc" / (stem + ".xml"))
    assert t.findtext("filename") == stem + ".jpg"
    assert (int(t.findtext("size/width")), int(t.findtext("size/height"))) == (picture["width"], picture["height"])
    objects = t.findall("object")
    assert [o.findtext("name") for o in objects] == [b[0] for b in boxes(picture)]
    for o, b in zip(objects, boxes(picture)):
        edges = [float(o.findtext("bndbox/" + k)) for k in ("xmin", "ymin", "xmax", "ymax")]
        assert all(abs(x - y) <= 2 for x, y in zip(edges, b[2:])), (edges, b)
    rows = [line.split() for line in open(work / "yolo/labels" / (stem + ".txt"))]
    assert len(rows) == len(objects)
    for row, b in zip(rows, boxes(picture)):
        x, y, w, h = map(float, row[1:5])
        edges = [(x - w / 2) * picture["width"], (y - h / 2) * picture["height"],
                 (x + w / 2) * picture["width"], (y + h / 2) * picture["height"]]
        assert all(abs(p - q) <= .5 for p, q in zip(edges, b[2:])), (row, b)
PY
try "Python reads them all, and they say the same" "$python" "$work/read.py" "$work" "$odd"
status 0
try "the other commands' JSON" "$YOLO" info --cfg "$root/cfg/tabletop.cfg" --format json
holds "$python" -m json.tool "$work/out" "$work/read.json"
try "yolo check's JSON" "$YOLO" check "$root/data/tabletop/tabletop.data" --no-images --json
holds "$python" -m json.tool "$work/out" "$work/read.json"
"$YOLO" dump "$work/plain.jpg" "${model[@]}" --out "$work/dump" -q
cat >"$work/npy.py" <<'PY'
import ast, sys
data = open(sys.argv[1], "rb").read()
end = 10 + int.from_bytes(data[8:10], "little")
header = ast.literal_eval(data[10:end].decode("ascii"))
count = 4
for n in header["shape"]:
    count *= n
assert data[:8] == b"\x93NUMPY\x01\0" and end % 64 == 0 and header["descr"] == "<f4", header
assert not header["fortran_order"] and len(data) == end + count, header
PY
try "dump's arrays" "$python" "$work/npy.py" "$work/dump/000.npy"
status 0
finish
