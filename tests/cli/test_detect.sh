#!/usr/bin/env bash
# yolo detect with real networks and photos. Every format is read back by python3's own parsers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

net=$SHARED/weights/yolo-fastest-1.1-coco
photos=$SHARED/data/photos

# ---- usage: needs no network ----

try "no input" "$YOLO" detect
status 2
one_error 'no input'
try "unknown flag" "$YOLO" detect a.jpg --treshold .5
status 2
one_error 'did you mean'
try "format coco needs ids" "$YOLO" detect a.jpg --format coco
status 2
one_error '--annotations'
out_empty
try "annotations without coco" "$YOLO" detect a.jpg --annotations x.json
status 2
try "save-conf without yolo" "$YOLO" detect a.jpg --save-conf
status 2
try "skip-existing without pictures" "$YOLO" detect a.jpg --skip-existing --no-save
status 2
try "no folder to leave out" "$YOLO" detect a.jpg --exclude "$work/none"
status 2
one_error '--exclude .*/none: no such folder'
try "out without files" "$YOLO" detect a.jpg --out "$work/o" --no-save
status 2
holds [ ! -e "$work/o" ]
try "threshold out of range" "$YOLO" detect a.jpg --conf 1.5
status 2
try "unknown format" "$YOLO" detect a.jpg --format jsn
status 2
one_error 'json'
try "help" "$YOLO" detect --help
status 0
out 'labels/NAME.txt'
out 'Example:'

if [ ! -f "$net/yolo-fastest-1.1-xl.weights" ] || [ ! -f "$photos/dog.jpg" ]; then
    skip "detect on photos" "no networks and photos in $SHARED (set YOLO_SHARED)"
    finish
fi
if ! command -v python3 >/dev/null; then
    skip "detect on photos" "python3 is needed to read the results"
    finish
fi

model=(--cfg "$net/yolo-fastest-1.1-xl.cfg" --weights "$net/yolo-fastest-1.1-xl.weights"
    --names "$net/coco.names" --threads 1)
dog=$photos/dog.jpg

check() { # python3 program, arguments: an assertion that fails is a fault
    python3 - "${@:2}" <<<"$1" 2>"$work/py" || fault "$(tail -n 1 "$work/py")"
}

# ---- formats ----

try "text" "$YOLO" detect "$dog" "${model[@]}" --no-save
status 0
out '^.*/dog\.jpg: 768x576, [0-9]+ objects$'
out '^  dog +0\.[0-9]{3}  [0-9.]+ [0-9.]+ [0-9.]+ [0-9.]+$'
out '^  bicycle '
out '^  car '
err '^1 image, .* 0 failed'

try "json" "$YOLO" detect "$dog" "$photos/eagle.jpg" "${model[@]}" --no-save --format json
status 0
check '
import json, sys
a = json.load(open(sys.argv[1]))
assert len(a) == 2 and [r["image"].split("/")[-1] for r in a] == ["dog.jpg", "eagle.jpg"]
r = a[0]
assert list(r) == ["image", "width", "height", "objects", "ms"], list(r)
assert (r["width"], r["height"]) == (768, 576)
assert set(r["ms"]) == {"load", "infer", "post"} and all(v >= 0 for v in r["ms"].values())
assert {"dog", "bicycle", "car"} <= {o["name"] for o in r["objects"]}
d = next(o for o in r["objects"] if o["name"] == "dog")
assert d["class_id"] == 16 and d["confidence"] > .8
want = dict(x1=114.2, y1=188.4, x2=386.4, y2=535.7)
assert list(d["box"]) == list(want) and all(abs(d["box"][k] - want[k]) < 1 for k in want), d
c = [o["confidence"] for o in r["objects"]]
assert c == sorted(c, reverse=True) and min(c) > .25
assert a[1]["objects"][0]["name"] == "bird"
' "$work/out"

try "json of nothing" "$YOLO" detect "$dog" "${model[@]}" --no-save --format json --conf 0.999
status 0
check 'import json, sys; a = json.load(open(sys.argv[1])); assert a[0]["objects"] == []' "$work/out"
try "fail-empty" "$YOLO" detect "$dog" "${model[@]}" --no-save --conf 0.999 --fail-empty
status 1

try "csv" "$YOLO" detect "$dog" "${model[@]}" --no-save --format csv --classes dog,1-2
status 0
check '
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1], newline="")))
assert list(rows[0]) == "image,class_id,class,confidence,x1,y1,x2,y2".split(",")
assert {r["class"] for r in rows} == {"dog", "bicycle", "car"}
assert all(float(r["x1"]) < float(r["x2"]) for r in rows)
' "$work/out"

try "yolo" "$YOLO" detect "$dog" "${model[@]}" --no-save --format yolo --save-conf --out "$work/y"
status 0
out_empty
check '
import sys
rows = [l.split() for l in open(sys.argv[1])]
c, x, y, w, h, p = next(r for r in rows if r[0] == "16")
assert abs(float(x) - .3259) < .003 and abs(float(y) - .6286) < .003, (x, y)
assert abs(float(w) - .3545) < .003 and abs(float(h) - .6030) < .003 and float(p) > .8
' "$work/y/labels/dog.txt"
holds [ ! -e "$work/y/dog.jpg" ]

try "voc" "$YOLO" detect "$dog" "${model[@]}" --format voc --out "$work/v"
status 0
out_empty
check '
import sys, xml.etree.ElementTree as E
t = E.parse(sys.argv[1])
assert t.findtext("filename") == "dog.jpg" and t.findtext("size/width") == "768"
o = next(o for o in t.findall("object") if o.findtext("name") == "dog")
b = [int(o.findtext("bndbox/" + k)) for k in ("xmin", "ymin", "xmax", "ymax")]
assert all(abs(p - q) <= 2 for p, q in zip(b, (115, 189, 386, 536))), b
' "$work/v/dog.xml"
holds [ -s "$work/v/dog.jpg" ]

python3 - "$net/coco.names" >"$work/ids.json" <<'PY'
import json, sys
same = {"aeroplane": "airplane", "motorbike": "motorcycle", "sofa": "couch", "tvmonitor": "tv",
        "diningtable": "dining table", "pottedplant": "potted plant"}
names = open(sys.argv[1]).read().split("\n")
print(json.dumps({"images": [{"id": 4242, "file_name": "dog.jpg"}], "annotations": [],
                  "categories": [{"id": 100 + i, "name": same.get(n, n)}
                                 for i, n in enumerate(n for n in names if n)]}))
PY
try "coco" "$YOLO" detect "$dog" "$photos/eagle.jpg" "${model[@]}" --no-save --format coco \
    --annotations "$work/ids.json"
status 3
err 'eagle.jpg: no image of that file_name'
check '
import json, sys
a = json.load(open(sys.argv[1]))
assert a and all(list(d) == ["image_id", "category_id", "bbox", "score"] for d in a)
assert {d["image_id"] for d in a} == {4242}
d = next(d for d in a if d["category_id"] == 116)
assert all(abs(p - q) < 1.5 for p, q in zip(d["bbox"], (114.2, 188.4, 272.2, 347.3))), d
' "$work/out"

mkdir -p "$work/twin"
cp "$photos/eagle.jpg" "$work/twin/dog.jpg"
try "coco: one picture an id" "$YOLO" detect "$dog" "$work/twin/dog.jpg" "${model[@]}" --no-save --format coco \
    --annotations "$work/ids.json"
status 3
one_error 'twin/dog.jpg: an earlier picture was the image dog.jpg'
holds [ "$(grep -o '"category_id"' "$work/out" | wc -l)" -lt 9 ]

# ---- options that select ----

try "classes" "$YOLO" detect "$dog" "${model[@]}" --no-save --classes dog
out '1 object$'
out '^  dog'
try "classes: unknown" "$YOLO" detect "$dog" "${model[@]}" --no-save --classes dgo
status 2
one_error "did you mean 'dog'"
try "max-det" "$YOLO" detect "$photos/kite.jpg" "${model[@]}" --no-save --max-det 3
out ': 1352x900, 3 objects$'
try "nothing suppressed" "$YOLO" detect "$dog" "${model[@]}" --no-save --iou 1
cp "$work/out" "$work/all"
try "agnostic suppresses more" "$YOLO" detect "$dog" "${model[@]}" --no-save --agnostic
no_out '^  truck'
out '^  car'
holds [ "$(wc -l <"$work/all")" -gt "$(wc -l <"$work/out")" ]
try "letterbox" "$YOLO" detect "$dog" "${model[@]}" --no-save --letterbox
out '^  dog'
cp "$work/out" "$work/letterbox"
try "stretch" "$YOLO" detect "$dog" "${model[@]}" --no-save --stretch
out '^  dog'
holds [ "$(cat "$work/out")" != "$(cat "$work/letterbox")" ]
try "imgsz" "$YOLO" detect "$dog" "${model[@]}" --no-save --imgsz 416
out '^  dog'
try "Darknet's spelling" "$YOLO" detect "$dog" "${model[@]}" --no-save -thresh .9 -dont_show
out '^  dog'
no_out '^  car'

# ---- many inputs, some of them bad ----

mkdir -p "$work/in put/sub" "$work/two"
for i in 01 03 05 07 09 11 13 15; do cp "$dog" "$work/in put/$i.jpg"; done
for i in 02 06 10 14; do cp "$photos/eagle.jpg" "$work/in put/$i.jpg"; done
for i in 04 08 12; do head -c 100 "$dog" >"$work/in put/$i.jpg"; done
cp "$photos/person.jpg" "$work/in put/sub/a b, c.jpg"
cp "$photos/giraffe.jpg" "$work/in put/sub/b.jpg"
: >"$work/in put/sub/empty.png"
echo "no picture" >"$work/in put/sub/text.jpg"
cp "$dog" "$work/in put/sub/zz.jpg"

order='
import json, sys
a = [json.loads(l) for l in open(sys.argv[1])]
names = [r["image"].split("/in put/")[1] for r in a]
assert len(a) == 20 and names == sorted(names), names
bad = [n for n, r in zip(names, a) if "error" in r]
assert bad == ["04.jpg", "08.jpg", "12.jpg", "sub/empty.png", "sub/text.jpg"], bad
for n, r in zip(names, a):
    if "error" in r:
        assert set(r) == {"image", "error"} and r["error"]
    else:
        want = {"sub/a b, c.jpg": "person", "sub/b.jpg": "giraffe"}.get(n)
        want = want or ("bird" if n[:2] in ("02", "06", "10", "14") else "dog")
        assert r["objects"][0]["name"] == want, (n, r["objects"][0])
'
for batch in 1 3; do
    try "order with bad inputs, batch $batch" "$YOLO" detect "$work/in put" "${model[@]}" --no-save \
        --format jsonl --batch $batch
    status 3
    err '15 images, .* 5 failed'
    check "$order" "$work/out"
    cp "$work/out" "$work/batch$batch"
done
try "threads 2" "$YOLO" detect "$work/in put" "${model[@]}" --threads 2 --no-save --format jsonl
status 3
check "$order" "$work/out"
check '
import re, sys
a, b, c = (re.sub(r"\"ms\":\{[^}]*\}", "", open(f).read()) for f in sys.argv[1:])
assert a == b, "batch changes results"
assert a == c, "threads change results"
' "$work/batch1" "$work/batch3" "$work/out"

try "json, all bad" "$YOLO" detect "$work/in put/04.jpg" "$work/nothing.jpg" "${model[@]}" --format json \
    --no-save
status 3
check 'import json, sys; a = json.load(open(sys.argv[1])); assert all("error" in r for r in a) and len(a) == 2' \
    "$work/out"
try "empty folder" "$YOLO" detect "$work/two" "${model[@]}" --format json --no-save
status 0
err 'no pictures'
out_is '[]'

# ---- kinds of inputs ----

printf '%s\n' "$dog" "$work/in put/sub/a b, c.jpg" >"$work/list.txt"
try "list" "$YOLO" detect "$work/list.txt" "${model[@]}" --no-save --format jsonl
status 0
holds [ "$(wc -l <"$work/out")" -eq 2 ]
# shellcheck disable=SC2016
try "stdin" bash -c '"$@" <"$0"' "$work/list.txt" "$YOLO" detect - "${model[@]}" --no-save
status 0
out 'dog.jpg: '
out 'a b, c.jpg: '
try "glob" "$YOLO" detect "$work/in put/0[1-3].jpg" "${model[@]}" --no-save --format jsonl
status 0
holds [ "$(wc -l <"$work/out")" -eq 3 ]
# shellcheck disable=SC2016
try "list line named in the message" bash -c 'printf "\n%s/no.jpg\n" "$0" >"$0/l.txt"; "$@"' "$work" \
    "$YOLO" detect "$work/l.txt" "${model[@]}" --no-save
status 3
err 'l\.txt:2: .*no\.jpg'
bad_name=$work/$(printf 'x\377"\\y.jpg')
cp "$dog" "$bad_name"
try "file name that is not UTF-8" "$YOLO" detect "$bad_name" "${model[@]}" --no-save --format json
status 0
check '
import json, sys
a = json.loads(open(sys.argv[1], "rb").read().decode("utf-8"))
assert a[0]["image"].endswith("x\ufffd\"\\y.jpg"), a[0]["image"]
' "$work/out"

# ---- files ----

try "mirrored tree, crops" "$YOLO" detect "$work/in put" "${model[@]}" --crops --out "$work/out dir" -q
status 3
holds [ -s "$work/out dir/01.jpg" ]
holds [ -s "$work/out dir/sub/a b, c.jpg" ]
holds [ ! -e "$work/out dir/04.jpg" ]
holds [ -s "$work/out dir/crops/dog/01_1.jpg" ]
holds [ -s "$work/out dir/crops/giraffe/sub/b_1.jpg" ]
holds [ -z "$(find "$work/out dir" -name '*.tmp')" ]
holds cmp -s "$dog" "$work/in put/01.jpg"
holds [ "$(find "$work/out dir" -maxdepth 1 -name '*.jpg' | wc -l)" -eq 12 ]

rm "$work/out dir/03.jpg" "$work/out dir/sub/b.jpg"
try "skip-existing" "$YOLO" detect "$work/in put" "${model[@]}" --skip-existing --out "$work/out dir" \
    --format jsonl
status 3
err '2 images, .* 5 failed, 13 skipped'
holds [ "$(grep -c '"objects"' "$work/out")" -eq 2 ]
holds [ -s "$work/out dir/03.jpg" ]

mkdir -p "$work/n/a" "$work/n/b"
cp "$dog" "$work/n/a/x.jpg"
cp "$photos/eagle.jpg" "$work/n/b/x.jpg"
try "namesakes" "$YOLO" detect "$work/n/a" "$work/n/b" "$work/n/a/x.jpg" "${model[@]}" --out "$work/n/out"
status 0
holds [ "$(cd "$work/n/out" && echo *)" = "x.jpg x_2.jpg x_3.jpg" ]
holds cmp -s "$work/n/out/x.jpg" "$work/n/out/x_3.jpg"
try "an input is never overwritten" "$YOLO" detect "$work/n/a" "${model[@]}" --out "$work/n/a"
status 3
err 'overwrite'
holds cmp -s "$dog" "$work/n/a/x.jpg"
try "nor an input whose turn comes later" "$YOLO" detect "$work/n/a" "$work/n/b" "${model[@]}" --out "$work/n/b"
status 3
err 'n/a/x.jpg: .* overwrite the input .*n/b/x.jpg'
holds cmp -s "$photos/eagle.jpg" "$work/n/b/x.jpg"
rm -f "$work/n/b/x_2.jpg"
mkdir -p "$work/set/images" "$work/set/labels"
cp "$dog" "$work/set/images/known.jpg"
cp "$dog" "$work/set/images/new.jpg"
echo "1 .5 .5 .2 .2" >"$work/set/labels/known.txt"
try "nor labels that exist" "$YOLO" detect "$work/set/images" "${model[@]}" --format yolo --no-save --out "$work/set"
status 3
one_error 'known.jpg: its labels exist'
holds [ "$(cat "$work/set/labels/known.txt")" = "1 .5 .5 .2 .2" ]
holds [ -s "$work/set/labels/new.txt" ]
name=$(printf '%0251d' 0).jpg
cp "$dog" "$work/$name"
try "a name as long as names can be" "$YOLO" detect "$work/$name" "${model[@]}" --out "$work/long"
status 0
holds [ -s "$work/long/$name" ]
try "output folder within the input" "$YOLO" detect "$work/n" "${model[@]}" --out "$work/n/out" --format jsonl
status 0
holds [ "$(wc -l <"$work/out")" -eq 2 ]
try "folders left out" "$YOLO" detect "$work/n" "${model[@]}" --out "$work/n/out" --format jsonl \
    --exclude "$work/n/a" --exclude "$work/n/b/../out"
status 0
holds [ "$(grep -c '/n/b/x.jpg"' "$work/out")" -eq 1 -a "$(wc -l <"$work/out")" -eq 1 ]
try "output folder cannot be made" "$YOLO" detect "$dog" "${model[@]}" --out "$dog/x"
status 1
one_error 'dog.jpg/x'
python3 - "$work" <<'PY'
import struct, sys, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
rows = bytes([0, 200, 90, 30])
png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
png += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
open(sys.argv[1] + "/one.png", "wb").write(png)
open(sys.argv[1] + "/one.ppm", "wb").write(b"P6 1 1 255\n\1\2\3")
PY
try "one pixel; other extensions" "$YOLO" detect "$work/one.png" "$work/one.ppm" "${model[@]}" --out "$work/e"
status 0
holds [ "$(cd "$work/e" && echo *)" = "one.jpg one.png" ]

# ---- memory ----

face=$SHARED/weights/yoloface/yoloface-50k.cfg
peak='
import re, subprocess, sys, time
p = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
peak = 0
while p.poll() is None:
    try:
        peak = max([peak] + [int(n) for n in re.findall(r"VmHWM:\s+(\d+)", open(f"/proc/{p.pid}/status").read())])
    except OSError:
        pass
    time.sleep(0.001)
assert p.returncode == 0, p.returncode
print(peak)
'
if [ ! -f "$face" ] || [ ! -r /proc/self/status ]; then
    skip "memory stays flat" "no $face or no /proc"
elif grep -qa __asan_init "$YOLO"; then
    skip "memory stays flat" "a sanitizer keeps freed memory"
else
    for ((i = 0; i < 10000; i++)); do echo "$work/one.png"; done >"$work/10000.txt"
    head -n 100 "$work/10000.txt" >"$work/100.txt"
    try "memory stays flat over 10,000 pictures" true
    few=$(python3 -c "$peak" "$YOLO" detect "$work/100.txt" --cfg "$face" --no-save --format jsonl)
    many=$(python3 -c "$peak" "$YOLO" detect "$work/10000.txt" --cfg "$face" --no-save --format jsonl)
    holds [ "${few:-0}" -gt 1000 ]
    holds [ "${many:-999999}" -le $((${few:-0} + 512)) ]
fi

# ---- ends before the end ----

for _ in $(seq 400); do echo "$dog"; done >"$work/long.txt"
interrupted() { # STDOUT SIGNAL: the status of a run that a signal meets on its way
    : >"$1"
    "$YOLO" detect "$work/long.txt" "${model[@]}" --out "$work/i" --format json >"$1" 2>"$work/e2" &
    local pid=$!
    while [ "$(wc -l <"$1")" -lt 4 ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
    kill -"$2" $pid
    wait $pid
}
try "SIGTERM on the way" true
interrupted "$work/term" TERM
last_status=$?
status 130
check '
import json, os, sys
a = json.load(open(sys.argv[1]))
assert 3 <= len(a) < 400
saved = [f for f in os.listdir(sys.argv[2])]
assert len(saved) == len(a), (len(saved), len(a))
' "$work/term" "$work/i"

try "SIGINT while stdin waits" true
check '
import json, signal, subprocess, sys, time
p = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
p.stdin.write((sys.argv[1] + "\n").encode())
p.stdin.flush()
head = p.stdout.read(50)  # the first record is there
p.send_signal(signal.SIGINT)
start = time.time()
rest = p.stdout.read()
assert p.wait(20) == 130, p.returncode
assert time.time() - start < 10
assert rest.endswith(b"\n]\n"), rest
' "$dog" "$YOLO" detect - "${model[@]}" --no-save --format json

try "closed pipe" bash -c 'set -o pipefail; "$@" | head -n 1 >/dev/null' _ \
    "$YOLO" detect "$work/long.txt" "${model[@]}" --out "$work/p"
holds [ "$last_status" -ne 0 ]
no_err 'error'
holds [ -z "$(find "$work/p" -name '*.tmp')" ]
holds [ "$(find "$work/p" -name '*.jpg' | wc -l)" -lt 400 ]
try "full disk" bash -c '"$@" >/dev/full' _ "$YOLO" detect "$work/long.txt" "${model[@]}" --no-save
status 1
err 'No space left'

finish
