#!/usr/bin/env bash
# yolo detect with real networks and photos, every format read back. (By Python's own parsers: tests/oracles/test_formats.sh.)
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
    skip "detect on photos" "no shared data (set YOLO_SHARED)"
    finish
fi
model=(--cfg "$net/yolo-fastest-1.1-xl.cfg" --weights "$net/yolo-fastest-1.1-xl.weights"
    --names "$net/coco.names" --threads 1)
dog=$photos/dog.jpg

# shellcheck disable=SC2317 # called through holds
within() { # LIMIT "WANTED NUMBERS" "FOUND NUMBERS"
    agree "$1" <(echo "$2") <(echo "$3")
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
json 'count("^\\[[0-9]+\\]\\.image$") == 2 && v["[0].image"] ~ /\/dog\.jpg$/ && v["[1].image"] ~ /\/eagle\.jpg$/'
holds test "$(sed -n 's/^\[0\]\.\([a-z]*\).*/\1/p' "$work/flat" | uniq | tr '\n' ' ')" = "image width height objects ms "
json 'v["[0].width"] == 768 && v["[0].height"] == 576'
json 'count("^\\[0\\]\\.ms\\.(load|infer|post)$") == 3 && count("^\\[0\\]\\.ms\\.") == 3'
json 'v["[0].ms.load"] >= 0 && v["[0].ms.infer"] >= 0 && v["[0].ms.post"] >= 0'
for name in bicycle car; do json 'any("[0].objects", "name", "'$name'")'; done
json 'any("[0].objects", "name", "dog", "class_id", 16)'
i=$(sed -n 's/^\[0\]\.objects\[\([0-9]*\)\]\.name="dog"$/\1/p' "$work/flat" | head -n 1)
json 'v["[0].objects['"$i"'].confidence"] > .8'
holds test "$(sed -n "s/^\[0\]\.objects\[$i\]\.box\.\([a-z0-9]*\)=.*/\1/p" "$work/flat" | tr '\n' ' ')" = "x1 y1 x2 y2 "
holds within 1 "114.2 188.4 386.4 535.7" "$(sed -n "s/^\[0\]\.objects\[$i\]\.box\.[a-z0-9]*=//p" "$work/flat" | tr '\n' ' ')"
sed -n 's/^\[0\]\.objects\[[0-9]*\]\.confidence=//p' "$work/flat" >"$work/confidences"
holds sort -cgr "$work/confidences"
holds test "$(awk '$1 <= .25' "$work/confidences" | wc -l)" -eq 0
json 'v["[1].objects[0].name"] == "bird"'

try "json of nothing" "$YOLO" detect "$dog" "${model[@]}" --no-save --format json --conf 0.999
status 0
json 'v["[0].objects"] == "[]"'
try "fail-empty" "$YOLO" detect "$dog" "${model[@]}" --no-save --conf 0.999 --fail-empty
status 1

try "csv" "$YOLO" detect "$dog" "${model[@]}" --no-save --format csv --classes dog,1-2
status 0
holds test "$(head -n 1 "$work/out" | tr -d '\r')" = image,class_id,class,confidence,x1,y1,x2,y2
holds test "$(tail -n +2 "$work/out" | cut -d, -f3 | sort -u | tr '\n' ' ')" = "bicycle car dog "
# shellcheck disable=SC2016 # awk
holds awk -F, 'NF != 8 || (NR > 1 && !($5 + 0 < $7 + 0)) { exit 1 }' "$work/out"

try "yolo" "$YOLO" detect "$dog" "${model[@]}" --no-save --format yolo --save-conf --out "$work/y"
status 0
out_empty
holds within .003 ".3259 .6286 .3545 .6030" "$(awk '$1 == 16 { print $2, $3, $4, $5; exit }' "$work/y/labels/dog.txt")"
holds test "$(awk '$1 == 16 { print ($6 > .8); exit }' "$work/y/labels/dog.txt")" = 1
holds [ ! -e "$work/y/dog.jpg" ]

try "voc" "$YOLO" detect "$dog" "${model[@]}" --format voc --out "$work/v"
status 0
out_empty
holds grep -q '<filename>dog.jpg</filename>' "$work/v/dog.xml"
holds grep -q '<width>768</width>' "$work/v/dog.xml"
holds within 2 "115 189 386 536" "$(tr -d '\n' <"$work/v/dog.xml" | sed 's/<\/object>/&\n/g' | grep -m 1 '<name>dog</name>' |
    sed -n 's/.*<xmin>\([0-9]*\)<\/xmin> *<ymin>\([0-9]*\)<\/ymin> *<xmax>\([0-9]*\)<\/xmax> *<ymax>\([0-9]*\)<\/ymax>.*/\1 \2 \3 \4/p')"
holds [ -s "$work/v/dog.jpg" ]
corner() { # FILE: the first xmin and ymin
    sed -n 's/.*<[xy]min>\([0-9]*\)<.*/\1/p' "$1" | head -n 2 | tr '\n' ' '
}
try "voc, edges from 0" "$YOLO" detect "$dog" "${model[@]}" --format voc --pixels-from 0 --no-save --out "$work/v0"
status 0
# shellcheck disable=SC2046 # four numbers
holds test "$(printf '%s,' $(corner "$work/v0/dog.xml"))" = "$(printf '%s,' $(($(corner "$work/v/dog.xml" | cut -d' ' -f1) - 1)) $(($(corner "$work/v/dog.xml" | cut -d' ' -f2) - 1)))"
holds diff <(grep max "$work/v/dog.xml") <(grep max "$work/v0/dog.xml")
try "voc's pixels without voc" "$YOLO" detect "$dog" "${model[@]}" --format json --pixels-from 0 --no-save
status 2
one_error '--pixels-from acts only with --format voc'

{ # COCO's names where coco.names has Darknet's
    echo '{"images": [{"id": 4242, "file_name": "dog.jpg"}], "annotations": [], "categories": ['
    sed 's/aeroplane/airplane/; s/motorbike/motorcycle/; s/sofa/couch/; s/tvmonitor/tv/; s/diningtable/dining table/
        s/pottedplant/potted plant/; /^$/d' "$net/coco.names" |
        awk '{ printf "%s{\"id\": %d, \"name\": \"%s\"}\n", (NR > 1 ? "," : ""), 99 + NR, $0 }'
    echo ']}'
} >"$work/ids.json"
try "coco" "$YOLO" detect "$dog" "$photos/eagle.jpg" "${model[@]}" --no-save --format coco \
    --annotations "$work/ids.json"
status 3
err 'eagle.jpg: no image of that file_name'
json 'count("^\\[[0-9]+\\]\\.image_id$") > 0 && total("^\\[[0-9]+\\]\\.image_id$") == 4242 * count("^\\[[0-9]+\\]\\.image_id$")'
holds test "$(sed 's/^\[[0-9]*\]\.//; s/\[.*//; s/=.*//' "$work/flat" | uniq | tr '\n' ' ' |
    sed 's/image_id category_id bbox score //g')" = ""
i=$(sed -n 's/^\[\([0-9]*\)\]\.category_id=116$/\1/p' "$work/flat" | head -n 1)
holds within 1.5 "114.2 188.4 272.2 347.3" "$(sed -n "s/^\[$i\]\.bbox\[[0-9]\]=//p" "$work/flat" | tr '\n' ' ')"

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

cat >"$work/wanted" <<'END'
01.jpg dog
02.jpg bird
03.jpg dog
04.jpg error
05.jpg dog
06.jpg bird
07.jpg dog
08.jpg error
09.jpg dog
10.jpg bird
11.jpg dog
12.jpg error
13.jpg dog
14.jpg bird
15.jpg dog
sub/a b, c.jpg person
sub/b.jpg giraffe
sub/empty.png error
sub/text.jpg error
sub/zz.jpg dog
END
in_order() { # the pictures, each with its first object or "error"; a record of an error holds nothing else
    jsonl 1
    holds diff "$work/wanted" <(awk '
        { at = index($0, "="); path = substr($0, 1, at - 1); value = substr($0, at + 2); sub(/"$/, "", value) }
        path ~ /\.image$/ { sub(/.*\/in put\//, "", value); image = value }
        path ~ /^\[[0-9]+\]\.objects\[0\]\.name$/ { print image, value }
        path ~ /\.error$/ && value != "" { print image, "error" }' "$work/flat")
    holds test "$(grep -c '"error"' "$work/out")" -eq "$(grep -cE '^\{"image":"[^"]*","error":"[^"]+"\}$' "$work/out")"
}
for batch in 1 3; do
    try "order with bad inputs, batch $batch" "$YOLO" detect "$work/in put" "${model[@]}" --no-save \
        --format jsonl --batch $batch
    status 3
    err '15 images, .* 5 failed'
    in_order
    cp "$work/out" "$work/batch$batch"
done
try "threads 2" "$YOLO" detect "$work/in put" "${model[@]}" --threads 2 --no-save --format jsonl
status 3
in_order
timeless() { # FILE
    sed 's/"ms":{[^}]*}//' "$1"
}
holds cmp <(timeless "$work/batch1") <(timeless "$work/batch3") # batches change nothing
holds cmp <(timeless "$work/batch1") <(timeless "$work/out")    # nor do threads

try "json, all bad" "$YOLO" detect "$work/in put/04.jpg" "$work/nothing.jpg" "${model[@]}" --format json \
    --no-save
status 3
json 'count("\\.image$") == 2 && count("\\.error$") == 2'
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
printf '%s\ndata/gone.jpg\n' "$dog" >"$work/gone.txt"
try "what was tried for a line of a list" "$YOLO" detect "$work/gone.txt" "${model[@]}" --no-save
status 3; one_error "gone.txt:2: data/gone.jpg does not exist \\(tried data/gone.jpg, $work/data/gone.jpg, .*gone.jpg\\)"
printf 'train: images\n' >"$work/yaml.txt"
try "a list of another kind" "$YOLO" detect "$work/yaml.txt" "${model[@]}" --no-save
one_error 'yaml.txt:1: no list of pictures: YAML'; no_err warning
# shellcheck disable=SC2016
try "list line named in the message" bash -c 'printf "\n%s/no.jpg\n" "$0" >"$0/l.txt"; "$@"' "$work" \
    "$YOLO" detect "$work/l.txt" "${model[@]}" --no-save
status 3
err 'l\.txt:2: .*no\.jpg'
bad_name=$work/$(printf 'x\377"\\y.jpg')
cp "$dog" "$bad_name"
try "file name that is not UTF-8" "$YOLO" detect "$bad_name" "${model[@]}" --no-save --format json
status 0
json 'v["[0].image"] ~ /x\357\277\275\\"\\\\y\.jpg$/'

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
{ # 1 x 1, red 200, green 90, blue 30
    printf '\211PNG\015\012\032\012\000\000\000\015IHDR\000\000\000\001\000\000\000\001\010\002\000\000\000\220wS\336'
    printf '\000\000\000\014IDATx\234c\070\021\045\007\000\003.\001A\034\371<Z'
    printf '\000\000\000\000IEND\256B`\202'
} >"$work/one.png"
printf 'P6 1 1 255\n\1\2\3' >"$work/one.ppm"
try "one pixel; other extensions" "$YOLO" detect "$work/one.png" "$work/one.ppm" "${model[@]}" --out "$work/e"
status 0
holds [ "$(cd "$work/e" && echo *)" = "one.jpg one.png" ]

# ---- memory ----

face=$SHARED/weights/yoloface/yoloface-50k.cfg
if [ ! -f "$face" ]; then
    skip "memory stays flat" "no shared data (set YOLO_SHARED)"
elif [ -n "$sanitized" ]; then
    skip "memory stays flat" "a sanitizer keeps freed memory"
else
    for ((i = 0; i < 10000; i++)); do echo "$work/one.png"; done >"$work/10000.txt"
    head -n 100 "$work/10000.txt" >"$work/100.txt"
    try "memory stays flat over 10,000 pictures" true
    few=$("$helpers/peak" "$YOLO" detect "$work/100.txt" --cfg "$face" --no-save --format jsonl)
    many=$("$helpers/peak" "$YOLO" detect "$work/10000.txt" --cfg "$face" --no-save --format jsonl)
    holds [ "${few:-0}" -gt 1000 ]
    # The program's own pages come and go by half a MB; 150 bytes lost with each picture are seen.
    holds [ "${many:-999999}" -le $((${few:-0} + 1536)) ]
fi

# ---- ends before the end ----

for _ in $(seq 400); do echo "$dog"; done >"$work/long.txt"
interrupted() { # STDOUT SIGNAL...: the status of a run that signals meet on its way
    local pid signal stdout=$1
    : >"$stdout"
    "$YOLO" detect "$work/long.txt" "${model[@]}" --out "$work/i" --format json >"$stdout" 2>"$work/e2" &
    pid=$!
    while [ "$(wc -l <"$stdout")" -lt 4 ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
    for signal in "${@:2}"; do
        kill -"$signal" $pid 2>/dev/null
    done
    wait $pid
}
try "SIGTERM on the way" true
interrupted "$work/term" TERM
last_status=$?
status 130
json 'count("^\\[[0-9]+\\]\\.image$") >= 3 && count("^\\[[0-9]+\\]\\.image$") < 400' "$work/term"
holds [ "$(grep -c '^\[[0-9]*\]\.image=' "$work/flat")" -eq "$(find "$work/i" -type f | wc -l)" ]

try "SIGHUP, twice: a closed terminal" true
rm -r "$work/i"
interrupted "$work/hup" HUP HUP
last_status=$?
status 130
json 'count("^\\[[0-9]+\\]\\.image$") >= 3 && count("^\\[[0-9]+\\]\\.image$") < 400' "$work/hup"
holds [ "$(grep -c '^\[[0-9]*\]\.image=' "$work/flat")" -eq "$(find "$work/i" -type f | wc -l)" ]

try "SIGHUP that is ignored: nohup" true
head -n 60 "$work/long.txt" >"$work/short.txt" && mv "$work/short.txt" "$work/long.txt"
(
    trap '' HUP
    interrupted "$work/nohup" HUP HUP
)
last_status=$?
status 0
json 'count("^\\[[0-9]+\\]\\.image$") == 60' "$work/nohup"
for _ in $(seq 340); do echo "$dog"; done >>"$work/long.txt"

try "what a killed run left is swept, what is another's is not" true
interrupted "$work/killed" KILL 2>/dev/null
touch "$work/i/a.png.yolo-99999.tmp" "$work/i/mine.5.tmp" "$work/i/mine.yolo-x.tmp" "$work/i/live.png.yolo-99998.tmp"
exec 9<"$work/i/live.png.yolo-99998.tmp"
flock -n 9 # somebody writes it
try "what a killed run left is swept, what is another's is not" "$YOLO" detect "$dog" "${model[@]}" --out "$work/i"
status 0
holds [ "$(cd "$work/i" && echo *.tmp)" = "live.png.yolo-99998.tmp mine.5.tmp mine.yolo-x.tmp" ]
exec 9<&-

try "SIGINT while stdin waits" true
mkfifo "$work/paths"
set -m # else a background job ignores SIGINT
"$YOLO" detect - "${model[@]}" --no-save --format json <"$work/paths" >"$work/waits" 2>"$work/err" &
exec 3>"$work/paths" # stays open: more might come
echo "$dog" >&3
for _ in $(seq 400); do
    [ "$(wc -c <"$work/waits")" -gt 50 ] && break # the first record is there
    sleep 0.05
done
start=$(date +%s)
kill -INT $!
wait $!
last_status=$?
exec 3>&-
set +m
status 130
holds [ $(($(date +%s) - start)) -lt 10 ]
holds [ "$(tail -n 1 "$work/waits")" = "]" ]
json 'v["[0].image"] ~ /dog/' "$work/waits"

try "closed pipe" bash -c 'set -o pipefail; "$@" | head -n 1 >/dev/null' _ \
    "$YOLO" detect "$work/long.txt" "${model[@]}" --out "$work/p"
holds [ "$last_status" -ne 0 ]
no_err 'error'
holds [ -z "$(find "$work/p" -name '*.tmp')" ]
holds [ "$(find "$work/p" -name '*.jpg' | wc -l)" -lt 400 ]
try "full disk" bash -c '"$@" >/dev/full' _ "$YOLO" detect "$work/long.txt" "${model[@]}" --no-save
status 1
one_error 'stdout: cannot write the results: No space left'
for format in text json csv; do
    try "full disk from the start: $format" bash -c '"$@" >/dev/full' _ "$YOLO" detect "$dog" "${model[@]}" --no-save --format $format
    status 1
    one_error 'stdout: cannot write the results: No space left'
    no_err 'no pictures'
    try "no stdout: $format" bash -c '"$@" >&-' _ "$YOLO" detect "$dog" "${model[@]}" --no-save --format $format
    status 1
    one_error 'stdout: cannot write the results: Bad file'
    no_err 'no pictures'
done

finish
