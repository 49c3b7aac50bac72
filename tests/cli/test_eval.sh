#!/usr/bin/env bash
# yolo eval: pycocotools' and Darknet's numbers, every kind of truth and of saved results, what is said about
# broken ones, and that a network's numbers are the same however it is run.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

golden=$root/tests/golden/metrics

number() { # KEY [FILE]: its first value in JSON output
    awk -v key="\"$1\":" '$1 == key { gsub(/[,]/, "", $2); print $2; exit }' "${2:-$work/out}"
}

# shellcheck disable=SC2317 # called through holds
near() { # KEY VALUE LIMIT
    local found
    found=$(number "$1")
    awk -v a="$found" -v b="$2" -v limit="$3" 'BEGIN {
        d = a - b; if (d < 0) d = -d; exit a != "" && d <= limit ? 0 : 1 }' ||
        { fault "$1 is '$found', expected $2 within $3"; return 1; }
}

# shellcheck disable=SC2317 # called through holds
same_numbers() { # the same JSON as in $work/first, but for the names of classes
    diff <(grep -v '"name"' "$work/first") <(grep -v '"name"' "$work/out") >/dev/null
}

# ---- the bundled model on the bundled pictures ----

try "bundled: text" "$YOLO" eval
status 0; out '^AP +0\.[0-9]{4}  IoU'; out '^ARl +0\.'; out '^all +14 0\.'; out '^torus +3 '
no_out 'mAP50'; err '3 images, 14 objects, [0-9]+ detections'
try "bundled: JSON" "$YOLO" eval --format json
status 0; holds near images 3 0; holds near failed 0 0; holds near APs -1 0
out '^\{$'; out '"classes":'; out '"name":.*"sphere"'
cp "$work/out" "$work/first"
try "batch, threads and list: the same numbers" "$YOLO" eval data/tabletop/val.txt --batch 1 \
    --threads 1 --model tabletop --format json
status 0; holds same_numbers
try "bundled: csv" "$YOLO" eval --format csv -q
status 0; out '^class_id,class,objects,detections,AP,AP50,'; out '^,all,14,'; out '^4,torus,3,'
holds test "$(wc -l <"$work/out")" -eq 7; holds test ! -s "$work/err"
try "alias, training list, Darknet's mAP" "$YOLO" map --data data/tabletop/tabletop.data \
    --split train --points 11 --thresh .3
status 0; out "^mAP50 +0\.[0-9]+  Darknet's rules, 11 points, classes without objects count 0"
out 'at confidence 0\.30: precision'; err '9 images'
try "in Darknet's words" "$YOLO" detector map data/tabletop/tabletop.data cfg/tabletop.cfg \
    weights/tabletop.weights -points 101 -thresh .25
status 0; out '^mAP50 .*101 points'
# All that confident are right; detect counts them.
sure=$("$YOLO" detect data/tabletop/images/val --conf .99 --format csv --no-save -q | tail -n +2 | wc -l)
try "a threshold moves precision and recall only" "$YOLO" eval --format json --thresh 0.99
status 0; holds test "$sure" -gt 0; holds near recall "$(awk -v n="$sure" 'BEGIN { print n / 14 }')" 1e-5; holds near AP50 "$(number AP50 "$work/first")" 0

# ---- pycocotools' numbers from files ----

try "golden: crowds, ties, areas, over a hundred detections" "$YOLO" eval "$golden/truth.json" \
    --results "$golden/results.json" --format json
status 0
while read -r key value; do holds near "$key" "$value" 1e-9; done <"$golden/numbers.txt"
holds near images 19 0

cat >"$work/truth.json" <<'END'
{"images": [{"id": 7}, {"id": 9}],
 "annotations": [{"image_id": 7, "category_id": 1, "bbox": [10, 10, 40, 40]},
                 {"image_id": 9, "category_id": 1, "bbox": [0, 0, 100, 100]}],
 "categories": [{"id": 1, "name": "a"}, {"id": 5, "name": "b"}]}
END
result() { # IMAGE CATEGORY BOX SCORE
    echo "{\"image_id\": $1, \"category_id\": $2, \"bbox\": [$3], \"score\": $4}"
}
echo "[$(result 7 1 10,10,40,40 0.9), $(result 9 1 500,500,20,20 0.8)]" >"$work/half.json"
try "by hand: half of it found" "$YOLO" eval "$work/truth.json" --results "$work/half.json" \
    --points 0 --format json
status 0; holds near AP50 .50495049505 1e-9; holds near APm 1 1e-12; holds near APl 0 0
holds near recall .5 0; holds near threshold .85 1e-12
holds near mAP50 .25 1e-12 # b has no object: counts 0
try "by hand: absent classes left out" "$YOLO" eval "$work/truth.json" --results "$work/half.json" \
    --points 0 --absent skip --format json
status 0; holds near mAP50 .5 1e-12
echo '[]' >"$work/none.json"
try "no detections" "$YOLO" eval "$work/truth.json" --results "$work/none.json"
status 0; out '^AP +0\.0000'; out '^a +2 0\.0000'; no_out '^b '; out '^\(1 of 2 classes have neither'
echo '{"images": [{"id": 7}], "annotations": [], "categories": [{"id": 1}]}' >"$work/empty.json"
echo "[$(result 7 1 1,1,5,5 0.5)]" >"$work/one.json"
try "no truth" "$YOLO" eval "$work/empty.json" --results "$work/one.json" --points 101 --rules voc
status 0; out '^AP +-  IoU'; out "^mAP50 +-  PASCAL VOC's"; out '^class_0 +0 '

# ---- broken files: one line with the place, status 2 ----

broken() { # NAME TRUTH RESULTS MESSAGE
    try "broken: $1" "$YOLO" eval "$2" --results "$3"
    status 2; one_error "$4"; out_empty
}
b=$work/broken.json
results() { # TEXT: into $b
    printf '%s' "$1" >"$b"
}
good=$(result 7 1 10,10,40,40 0.9)
results "[$good,
$(result 8 1 1,1,5,5 0.5)]"
broken "unknown image" "$work/truth.json" "$b" "broken.json:2: \[1\]\.image_id: .* id 8"
results "[$(result 7 2 1,1,5,5 0.5)]"
broken "unknown category" "$work/truth.json" "$b" "\[0\]\.category_id: .* id 2"
results "[$(result 7 1 1,1,5,5 NaN)]"
broken "NaN score" "$work/truth.json" "$b" "broken.json:1: \[0\]\.score: not a finite number"
results "[$(result 7 1 1,1,Infinity,5 0.5)]"
broken "infinite box" "$work/truth.json" "$b" "\[0\]\.bbox\[2\]: not a finite number"
results "[$(result 7 1 1,1,-5,5 0.5)]"
broken "negative width" "$work/truth.json" "$b" "\[0\]\.bbox: width or height is negative"
results "[$(result 7 1 1,1,5 0.5)]"
broken "three numbers" "$work/truth.json" "$b" "\[0\]\.bbox: is not an array of 4 numbers"
results "[$(result '"7"' 1 1,1,5,5 0.5)]"
broken "text for an id" "$work/truth.json" "$b" "\[0\]\.image_id: is not a whole number"
results '[{"image_id": 7, "category_id": 1, "bbox": [1, 1, 5, 5]}]'
broken "no score" "$work/truth.json" "$b" "\[0\]\.score: is missing"
results "[$good, {\"image_id\": 7, \"cat"
broken "cut off" "$work/truth.json" "$b" "broken.json:1: \[1\]: not valid JSON: the file ends"
results "[$good] x"
broken "something behind it" "$work/truth.json" "$b" "where the end is expected"
results ''
broken "empty" "$work/truth.json" "$b" "broken.json:1: not valid JSON"
results '{"annotations": []}'
broken "an object" "$work/truth.json" "$b" "neither a COCO result"
broken "a picture" "$work/truth.json" data/tabletop/images/val/000001.jpg "000001.jpg:1: not valid JSON"
broken "ids for a list" data/tabletop/tabletop.data "$work/half.json" "\[0\]\.image_id: .*COCO annotation"
results '[{"image": "nowhere.jpg", "objects": []}]'
broken "unknown picture" data/tabletop/tabletop.data "$b" "\[0\]\.image: no picture .*nowhere.jpg"
results '[{"image": "val/000001.jpg", "objects": [{"class_id": 9, "confidence": 1, "box": {"x1": 1, "y1": 1, "x2": 2, "y2": 2}}]}]'
broken "unknown class" data/tabletop/tabletop.data "$b" "\[0\]\.objects\[0\]\.class_id: 9, but .* 5 classes"
results '[{"image": "val/000001.jpg", "objects": [{"class_id": 1, "confidence": 1, "box": {"x1": 1, "y1": 1, "x2": 2}}]}]'
broken "a corner missing" data/tabletop/tabletop.data "$b" "objects\[0\]\.box\.y2: is missing"
results '{"image": "val/000001.jpg", "objects": []}
{"image": "val/000001.jpg", "objects": []}'
broken "a picture twice" data/tabletop/tabletop.data "$b" "broken.json:2: image: a second record"

truth() { # ANNOTATIONS: a truth file of them in $b
    printf '{"images": [{"id": 7}],\n"annotations": [%s],\n"categories": [{"id": 1}]}' "$1" >"$b"
}
truth '{"image_id": 3, "category_id": 1, "bbox": [1, 1, 5, 5]}'
broken "truth: unknown image" "$b" "$work/one.json" "broken.json:2: annotations\[0\]\.image_id: 3 is no"
truth '{"image_id": 7, "category_id": 4, "bbox": [1, 1, 5, 5]}'
broken "truth: unknown category" "$b" "$work/one.json" "broken.json:2: annotations\[0\]\.category_id: 4 is no"
truth '{"image_id": 7, "category_id": 1, "bbox": [1, 1, 5, NaN]}'
broken "truth: NaN" "$b" "$work/one.json" "broken.json:2: annotations\[0\]\.bbox\[3\]: not a finite"
truth '{"image_id": 7, "category_id": 1}'
broken "truth: no box" "$b" "$work/one.json" "broken.json:2: annotations\[0\]\.bbox: is missing"
cat >"$b" <<'END'
{"images": [{"id": 7, "width": null}, {"id": 8}], "categories": [{"id": 1}], "annotations": [
{"image_id": 8, "category_id": 1, "bbox": []},
{"image_id": 8, "category_id": 1, "bbox": null},
{"image_id": 8, "category_id": 1},
{"image_id": 3, "category_id": 1, "bbox": [1, 1, 5, 5]},
{"image_id": 8, "category_id": 4, "bbox": [1, 1, 5, 5]},
{"image_id": 8, "category_id": 1, "bbox": [1, 1, -5, 5]},
{"image_id": 7, "category_id": 1, "bbox": [1, 1, 5, 5], "area": 25}]}
END
try "truth: wrong annotations are left out one by one" "$YOLO" eval "$b" --results "$work/one.json" --format json
status 3; holds near AP50 1 1e-9
err 'broken.json: 1 of 2 pictures have annotations that cannot be used: left out'
err 'broken.json:2: annotations\[0\].bbox: is empty'; err 'broken.json:3: annotations\[1\].bbox: is null'
err 'broken.json:4: annotations\[2\].bbox: is missing'; err 'broken.json:5: annotations\[3\].image_id: 3 is no'
err 'broken.json:6: annotations\[4\].category_id: 4 is no'; err 'broken.json: 6 images and annotations left out in all'
truth '{"image_id": 7, "category_id": 1}, {"image_id": 7, "category_id": 4, "bbox": [1, 1, 5, 5]}'
broken "truth: nothing usable" "$b" "$work/one.json" 'annotations\[0\].bbox: is missing.*none of the others can be used'
printf '{"images": [{"id": 7}], "categories": [{"id": 1}], "annotations": [' >"$b"
broken "truth: cut off" "$b" "$work/one.json" "broken.json:1: annotations\[0\]: not valid JSON: the file ends"
echo '{"images": [], "categories": [{"id": 1}], "annotations": []}' >"$b"
broken "truth: no images" "$b" "$work/one.json" "no images in it"
echo '{"images": [{"id": 7}], "annotations": []}' >"$b"
broken "truth: no categories" "$b" "$work/one.json" 'no "categories"'

# A long results file: read as a stream, in no more memory than its detections need.
awk 'BEGIN { printf "["; for (i = 0; i < 200000; i++)
    printf "%s{\"image_id\":%d,\"category_id\":1,\"bbox\":[%d,%d,30,30],\"score\":%.4f}", (i ? "," : ""), (i % 2 ? 7 : 9), i % 500, i % 300, i % 9973 / 9973
    printf "]" }' >"$work/long.json"
limit_memory 400000
try "200,000 detections" "${limited[@]}" "$YOLO" eval "$work/truth.json" --results "$work/long.json"
status 0; err '200000 detections'

# ---- the folder ----

# shellcheck disable=SC2317 # called through holds
is_png() {
    [ "$(head -c 4 "$1" | tail -c 3)" = PNG ] && [ "$(wc -c <"$1")" -gt 2000 ]
}
files() { # FOLDER: every table and picture is there
    local name
    for name in pr confidence calibration confusion classes; do
        holds test -s "$1/$name.csv"; holds is_png "$1/$name.png"
    done
    holds test -s "$1/metrics.json"; holds test -s "$1/worst/worst.csv"
}
try "out" "$YOLO" eval --out "$work/eval" --worst 1 --format json
status 0; files "$work/eval"; holds cmp "$work/out" "$work/eval/metrics.json"
holds test "$(ls "$work/eval/worst")" = "$(printf '01_000000.jpg\nworst.csv')"
# Four cones, wherever they went; the worst picture's seven objects are right, missed or taken for another class.
holds test "$(awk -F, '/^cone/ { print $2 + $3 + $4 + $5 + $6 + $7 }' "$work/eval/confusion.csv")" -eq 4
holds test "$(wc -l <"$work/eval/pr.csv")" -eq 506; holds test "$(wc -l <"$work/eval/calibration.csv")" -eq 11
holds grep -q 'val/000000.jpg,7,' "$work/eval/worst/worst.csv"
holds test "$(awk -F, '/000000/ { print $3 + $4 + $6 }' "$work/eval/worst/worst.csv")" -eq 7
# What a former run drew goes; everything else stays, as does what lies behind a link.
worst=$work/eval/worst
touch "$worst/02_old.jpg" "$worst/137_old.jpg"
others=(00_a.jpg 001_a.jpg 02_a.png 03_link.jpg 04_folder.jpg 1_a.jpg 1_a_02_a.jpg a.jpg)
for name in "${others[@]}"; do touch "$worst/$name"; done
rm "$worst/03_link.jpg" "$worst/04_folder.jpg"
mkdir "$worst/04_folder.jpg"; touch "$work/mine.jpg"; ln -s "$work/mine.jpg" "$worst/03_link.jpg"
"$YOLO" eval --out "$work/eval" --worst 1 -q >/dev/null
try "out again, none of the worst: the former run's pictures are gone" "$YOLO" eval --out "$work/eval" --worst 0
status 0; err 'tables, 0 of the worst pictures$'; no_err 'remov|delet'
holds test "$(LC_ALL=C ls "$worst")" = "$(printf '%s\n' "${others[@]}" worst.csv | LC_ALL=C sort)"; holds test -e "$work/mine.jpg"
mkdir -p "$work/foreign/worst" "$work/linked" "$work/elsewhere"
touch "$work/foreign/worst/02_mine.jpg" "$work/elsewhere/02_mine.jpg" "$work/elsewhere/worst.csv"
ln -s "$work/elsewhere" "$work/linked/worst"
try "out: folders that are not ours keep their pictures" "$YOLO" eval --out "$work/foreign"
status 0; holds test -e "$work/foreign/worst/02_mine.jpg"; holds test -e "$work/foreign/worst/worst.csv"
"$YOLO" eval --out "$work/linked" -q >/dev/null
holds test -e "$work/elsewhere/02_mine.jpg"
try "out: pictures are not there" "$YOLO" eval "$golden/truth.json" --results "$golden/results.json" \
    --out "$work/eval_golden"
status 0; files "$work/eval_golden"; err 'none has a mistake and can be read'
try "out: nothing at all" "$YOLO" eval "$work/empty.json" --results "$work/none.json" --out "$work/eval_none"
status 0; files "$work/eval_none"
mkdir -p "$work/blocked/pr.png"
try "out: a chart that cannot be written costs only itself" "$YOLO" eval --out "$work/blocked" --worst 1
status 1
one_error 'blocked/pr.png: cannot write: Is a directory'
for f in confidence calibration classes confusion; do holds [ -s "$work/blocked/$f.png" ]; done
holds [ -s "$work/blocked/worst/worst.csv" ]
try "out: no folder can be made" "$YOLO" eval --out "$golden/cases.txt/x"
status 1; one_error 'cases.txt'; out_empty
try "worst without out" "$YOLO" eval --worst 3
status 2; one_error '--worst acts only with --out'

# ---- options ----

try "a model has no use beside results" "$YOLO" eval "$work/truth.json" --results "$work/none.json" --conf .1
status 2; one_error '--conf has no effect with --results'
try "nor has the machine" "$YOLO" eval "$work/truth.json" --results "$work/none.json" --cpu scalar
status 2; one_error '--cpu has no effect with --results'
try "nor has the decoder" "$YOLO" eval "$work/truth.json" --results "$work/none.json" --jpeg turbo
status 2; one_error '--jpeg has no effect with --results'
try "no such set" "$YOLO" eval "$work/nowhere"
status 2; one_error 'nowhere: no such file'
try "names of COCO's" "$YOLO" eval "$work/truth.json" --results "$work/none.json" --names data/tabletop/tabletop.names
status 2; one_error '--names has no effect'
try "rules without points" "$YOLO" eval --rules voc
status 2; one_error '--rules.*only with --points'
try "two data sets" "$YOLO" eval a.txt --data b.txt
status 2; one_error 'two data sets'
try "split of a list" "$YOLO" eval data/tabletop/val.txt --split train
status 2; one_error '--split acts only'
try "no such data" "$YOLO" eval nowhere.data
holds test "$last_status" -ne 0; one_error 'nowhere.data'
try "other classes" "$YOLO" eval "$work/truth.json" --model tabletop
status 2; one_error 'file_name: is missing'
try "help" "$YOLO" help eval
status 0; out '--points'; out '--results'; out '^Exit codes'

# ---- a network: pictures that fail, saved results in every format ----

set=$work/set
cp -r data/tabletop "$set"
: >"$(sed -n 1p "$set/val.txt" | sed "s|^|$set/|")"
echo "images/val/gone.jpg" >>"$set/val.txt"
try "unreadable and missing pictures" "$YOLO" eval "$set/tabletop.data" --model tabletop --format json
status 3; holds near images 3 0; holds near failed 1 0; err 'images/val/.*\.jpg'; err 'gone.jpg does not exist'
err 'could not be read: 1; .*left out: 1'
try "their objects are missed" "$YOLO" eval "$set/tabletop.data" --model tabletop
status 3; out '^all +14 '
for format in json jsonl; do
    "$YOLO" detect data/tabletop/images/val --model tabletop --conf .005 --max-det 0 --no-save -q \
        --format "$format" >"$work/found.$format"
    try "saved as $format" "$YOLO" eval --results "$work/found.$format" --format json
    status 0; holds near AP50 "$(number AP50 "$work/first")" 1e-6; holds near AP "$(number AP "$work/first")" 1e-2
done
sed 's/"name":"cube"/"name":"ball"/g' "$work/found.json" >"$work/renamed.json"
try "saved with other names" "$YOLO" eval --results "$work/renamed.json"
status 2; one_error 'class 1 is "ball" here, but "cube" in the truth'
head -n 1 "$work/found.jsonl" >"$work/first.jsonl"
try "pictures without a record" "$YOLO" eval --results "$work/first.jsonl"
status 0; err 'no record of 2 of the 3 pictures'
prepare "$YOLO" synth "$work/many" --train 1 --val 40 --size 64x64 -q
try "interrupted" true
set -m # else a background job ignores SIGINT
"$YOLO" eval "$work/many/synth.data" --model tabletop --imgsz 608 --threads 1 >"$work/out" 2>"$work/err" &
for _ in $(seq 100); do
    grep -q '^model' "$work/err" && break
    sleep 0.1
done
kill -INT $!
wait $!
last_status=$?
set +m
status 130; one_error 'interrupted after [0-9]+ of 40 pictures'; out_empty

# ---- validation in training ----

try "training validates as eval does" "$YOLO" train --data data/tabletop/tabletop.data --model tabletop \
    --iters 2 --val-every 2 --batch 2 --subdivisions 1 --out "$work/run" -q
status 0
measured() { # COLUMN: its last value in results.csv
    awk -F, -v column="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) c = i }
        NR > 1 && $c != "" { v = $c } END { print v }' "$work/run/results.csv"
}
try "the data of a run" "$YOLO" eval --run "$work/run" --weights-unknown
status 2
try "eval of a run" "$YOLO" eval --run "$work/run" --format json
status 0; holds near AP50 "$(measured map50)" 1e-4; holds near AP "$(measured map50_95)" 1e-4
err 'data/tabletop/val.txt'

# ---- the shared sets ----

if [ -d "$SHARED/data/map-fixture" ]; then
    # Cartucho/mAP counts the last pixel in, and leaves out classes without truth.
    fixture() { # FOLDER LINE-FORMAT: COCO entries of its files
        awk -v what="$2" -v known="$3" '
        BEGIN {
            while ((getline line < known) > 0) { split(line, f, " "); id[f[2]] = f[1] }
            for (i = 1; i < ARGC; i++) image[ARGV[i]] = i # also those of files without a line
        }
        what == "names" { if (!($1 in id)) { id[$1] = ++n; print n, $1 } next }
        what == "truth" { printf "%s{\"image_id\":%d,\"category_id\":%d,\"bbox\":[%s,%s,%s,%s]}\n", (c++ ? "," : ""), image[FILENAME], id[$1], $2, $3, $4 - $2 + 1, $5 - $3 + 1 }
        what == "found" && $1 in id { printf "%s{\"image_id\":%d,\"category_id\":%d,\"score\":%s,\"bbox\":[%s,%s,%s,%s]}\n", (c++ ? "," : ""), image[FILENAME], id[$1], $2, $3, $4, $5 - $3 + 1, $6 - $4 + 1 }' \
            "$1"/*.txt
    }
    truths=$SHARED/data/map-fixture/ground-truth
    fixture "$truths" names /dev/null >"$work/names"
    {
        echo '{"images":['
        seq 85 | sed 's/.*/{"id":&}/; 1!s/^/,/'
        echo '],"categories":['
        awk '{ printf "%s{\"id\":%d,\"name\":\"%s\"}\n", (NR > 1 ? "," : ""), $1, $2 }' "$work/names"
        echo '],"annotations":['
        fixture "$truths" truth "$work/names"
        echo ']}'
    } >"$work/fixture.json"
    { echo '['; fixture "$SHARED/data/map-fixture/detection-results" found "$work/names"; echo ']'; } >"$work/fixture_found.json"
    try "map-fixture: its tool's mAP, 31.05 %" "$YOLO" eval "$work/fixture.json" --results "$work/fixture_found.json" \
        --points 0 --rules voc --format json
    status 0; holds near mAP50 .310477185009 1e-9
else
    skip "map-fixture" "no shared data (set YOLO_SHARED)"
fi

nets=$SHARED/weights/yolo-fastest-1.1-coco
photos=$SHARED/data/coco128
if [ -d "$photos" ] && [ -d "$nets" ]; then
    ls "$photos"/images/* >"$work/all.txt"
    printf 'classes=80\nvalid=all.txt\nnames=%s\n' "$nets/coco.names" >"$work/coco.data"
    try "yolo-fastest-1.1 on coco128: Darknet's mAP, 29.22 %" "$YOLO" detector map "$work/coco.data" \
        "$nets/yolo-fastest-1.1.cfg" "$nets/yolo-fastest-1.1.weights" -points 101 --format json
    status 0; holds near mAP50 .2922 .003; holds near images 128 0
else
    skip "coco128" "no shared data (set YOLO_SHARED)"
fi

finish
