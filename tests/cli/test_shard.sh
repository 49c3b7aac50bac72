#!/usr/bin/env bash
# --shard I/N: shares are disjoint and contiguous, and together they are the run of one process: detect and classify in every
# format and in files, put together by yolo merge; eval by --results of all shares.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

prepare "$YOLO" synth "$work/set" --train 1 --val 9 --size 96x96 --seed 5
in=$work/in
mkdir -p "$in/a" "$in/b" "$work/parts"
p=$work/parts
i=0
for picture in "$work"/set/images/val/*.jpg; do
    i=$((i + 1))
    case $i in [1-3]) cp "$picture" "$in/a/p$i.jpg" ;; [4-6]) cp "$picture" "$in/b/p$((i - 3)).jpg" ;; *) cp "$picture" "$in/q$i.jpg" ;; esac
done
echo 'no picture' >"$in/b/broken.jpg"
# The same files by a list, so that namesakes meet, and two lines that lead nowhere.
find "$in" -name '*.jpg' | sort >"$work/list.txt"
printf '%s\n' "$work/gone.jpg" "$in/a/p1.jpg" >>"$work/list.txt" # 10 pictures and these: 12 inputs

without_times() { # FILE
    # shellcheck disable=SC2317 # called through holds
    sed 's/"ms":{[^}]*}//' "$1"
}

# shellcheck disable=SC2317 # called through holds
same_but_times() { # FILE FILE
    cmp -s <(without_times "$1") <(without_times "$2")
}

# ---- what is no share ----

for bad in 0/4 5/4 1/0 x 1 /4 1/ 1/4/2 -1/4 1/-4 1.5/4 ' 1/4' 99999999999999999999/99999999999999999999 1/1000001; do
    try "detect --shard '$bad'" "$YOLO" detect "$in" --no-save --shard="$bad"
    status 2
    one_error '--shard .*: I/N is expected, share I of N, I from 1 to N'
    out_empty
    try "eval --shard '$bad'" "$YOLO" eval --shard="$bad" --out "$work/bad"
    status 2
    one_error '--shard .*: I/N is expected'
    holds [ ! -e "$work/bad" ]
done
try "classify --shard 5/4" "$YOLO" classify "$in" --shard 5/4
status 2
one_error '--shard 5/4: I/N is expected'

# ---- detect: on stdout ----

ids=$work/ids.json
{
    printf '{"images": ['
    awk '{ n = split($0, part, "/"); name = part[n - 1] "/" part[n]
        if (!seen[name]++) { printf "%s{\"id\": %d, \"file_name\": \"%s\"}", (NR > 1 ? "," : ""), 100 + NR, name } }' "$work/list.txt"
    printf '], "annotations": [], "categories": ['
    awk '{ printf "%s{\"id\": %d, \"name\": \"%s\"}", (NR > 1 ? "," : ""), NR, $0 }' "$work/set/synth.names"
    printf ']}\n'
} >"$ids"

detect() { # WORD...: nothing in files
    "$YOLO" detect --no-save -q --imgsz 96 "$@" 2>/dev/null
}

while read -r format n; do
    more=()
    [ "$format" != coco ] || more=(--annotations "$ids")
    detect "$work/list.txt" --format "$format" "${more[@]}" >"$work/whole"
    parts=()
    for i in $(seq "$n"); do
        parts+=("$work/parts/$format-$i")
        detect "$work/list.txt" --format "$format" "${more[@]}" --shard "$i/$n" >"$work/parts/$format-$i"
    done
    try "detect: $n shares of $format are the whole" "$YOLO" merge "${parts[@]}"
    status 0
    holds same_but_times "$work/out" "$work/whole"
    holds [ -s "$work/whole" ]
    cat "${parts[@]}" >"$work/row"
    try "merge: parts of $format in one file, into a file" "$YOLO" merge "$work/row" --out "$work/merged"
    status 0
    out_empty
    holds same_but_times "$work/merged" "$work/whole"
    # A share that is empty is a file of its format.
    case $format in
    json) holds test "$(cat "$work/parts/$format-$n")" = '[]' ;;
    csv) holds cmp -s "$work/parts/$format-$n" <(head -n 1 "$work/whole") ;;
    text | jsonl) holds same_but_times "$work/row" "$work/whole" ;; # cat will do
    esac
done <<'END'
text 3
json 14
jsonl 5
csv 13
coco 4
END

try "an empty share is no fault" "$YOLO" detect "$in" --no-save --imgsz 96 --format json --shard 30/30 --fail-empty
status 0
out_is '[]'
err 'share 30 of 30: none of the 10 inputs'
try "a share says which it is" "$YOLO" detect "$in" --no-save --imgsz 96 --format jsonl --shard 2/3
status 0
err 'share 2 of 3: inputs 5 to 7 of 10'
holds test "$(wc -l <"$work/out")" -eq 3
try "a broken input counts for its own share" "$YOLO" detect "$in" --no-save --imgsz 96 --shard 1/3
status 3
err '3 images, .* 1 failed'
# shellcheck disable=SC2016 # the inner shell's
try "paths on stdin" bash -c '"$1" detect - --no-save --imgsz 96 -q --format csv --shard 2/3 <"$2"' - "$YOLO" <(find "$in/a" "$in/q7.jpg" "$in/q8.jpg" "$in/q9.jpg" -name '*.jpg' | sort)
status 0
detect "$in/a/p3.jpg" "$in/q7.jpg" --format csv >"$work/whole"
holds cmp -s "$work/out" "$work/whole"

printf '%s\n' zero one two three four five six seven eight nine >"$work/digits.names"
digits=(--cfg "$root/tests/golden/classifier.cfg" --weights "$root/tests/golden/classifier.weights" --names "$work/digits.names")
for i in 1 2 3; do "$YOLO" classify "$in" "${digits[@]}" --format csv --shard "$i/3" -q >"$p/class-$i" 2>/dev/null; done
"$YOLO" classify "$in" "${digits[@]}" --format csv -q >"$work/whole" 2>/dev/null
try "classify: three shares are the whole" "$YOLO" merge "$p/class-1" "$p/class-2" "$p/class-3"
status 0
holds cmp -s "$work/out" "$work/whole"
holds [ "$(wc -l <"$work/whole")" -eq 46 ]

# ---- a job array ----

detect "$in" --format jsonl >"$work/whole"
while read -r first step; do
    for task in 0 1 2; do
        SLURM_ARRAY_TASK_ID=$((first + task * step)) SLURM_ARRAY_TASK_MIN=$first SLURM_ARRAY_TASK_STEP=$step SLURM_ARRAY_TASK_COUNT=3 \
            SLURM_CPUS_PER_TASK=1 YOLO=$YOLO bash scripts/slurm_detect.sh "$in" "$work/array-$first" --no-save --imgsz 96 -q >"$work/out" 2>/dev/null
    done
    try "Slurm's array from $first by $step" "$YOLO" merge "$work/array-$first/part-"{1,2,3}-of-3.jsonl
    status 0
    holds same_but_times "$work/out" "$work/whole"
    holds [ "$(find "$work/array-$first" -type f | wc -l)" -eq 3 ]
done <<'END'
1 1
0 4
END
try "Slurm: one share again" SLURM_ARRAY_TASK_ID=2 YOLO_SHARES=3 YOLO="$YOLO" bash scripts/slurm_detect.sh "$in" "$work/again" --no-save --imgsz 96 -q
status 0
holds same_but_times "$work/again/part-2-of-3.jsonl" "$work/array-1/part-2-of-3.jsonl"
try "Slurm: no array" bash scripts/slurm_detect.sh "$in" "$work/again"
status 2
try "Slurm: a task that fails leaves no part" SLURM_ARRAY_TASK_ID=2 YOLO_SHARES=3 YOLO="$YOLO" bash scripts/slurm_detect.sh "$in" "$work/again" --cfg "$work/none"
status 2
holds [ ! -e "$work/again/part-2-of-3.jsonl" ]

# ---- detect: in files ----

for kind in yolo voc; do
    "$YOLO" detect "$work/list.txt" --format "$kind" --crops --imgsz 96 --out "$work/one-$kind" -q 2>/dev/null
    for i in 3 1 4 2; do # all into one folder, in any order, two at a time
        "$YOLO" detect "$work/list.txt" --format "$kind" --crops --imgsz 96 --out "$work/four-$kind" -q --shard $i/4 2>/dev/null &
        [ $i != 1 ] || wait
    done
    wait
    try "detect: pictures, crops and $kind files of four shares in one folder" diff -r "$work/one-$kind" "$work/four-$kind"
    status 0
    holds [ -e "$work/four-$kind/p1_3.jpg" ] # the third p1, which another share has
    holds [ "$(find "$work/four-$kind" -type f | wc -l)" -gt 30 ]
done
# The output folder among the inputs: shares do not move when it fills.
"$YOLO" detect "$in" -q --format csv --imgsz 96 --out "$work/elsewhere" >"$work/whole" 2>/dev/null
for i in 1 2 3; do
    "$YOLO" detect "$in" -q --format csv --imgsz 96 --out "$in/found" --shard $i/3 >"$work/parts/own-$i" 2>/dev/null
done
try "detect: an output folder among the inputs" "$YOLO" merge "$work/parts/own-1" "$work/parts/own-2" "$work/parts/own-3"
status 0
holds cmp -s "$work/out" "$work/whole"
try "detect: what is there already moves no share" "$YOLO" detect "$in" --out "$in/found" --skip-existing --format csv --shard 2/3
status 0
out_is "$(head -n 1 "$work/whole")"
rm -r "$in/found"

# ---- what cannot be merged ----

fails() { # NAME MESSAGE PART...
    try "merge: $1" "$YOLO" merge "${@:3}"
    status 2
    one_error "$2"
}
printf '[\n{"image":"a.jpg","objects":[]}\n]\n' >"$p/a.json"
printf '[\n{"image_id":1,"score":0.5}\n]\n' >"$p/coco.json"
printf '[\n{"image":"b.jpg","objects":[]},\n{"image":"c' >"$p/cut.json"
printf '{"image":"a.jpg"}\n' >"$p/a.jsonl"
printf '{"image":"a.jpg"}\n{"image":' >"$p/cut.jsonl"
printf 'image,class_id,class,confidence,x1,y1,x2,y2\na.jpg,0,x,0.5,1,1,2,2\n' >"$p/a.csv"
printf 'image,class_id,class,confidence,x1,y1,x2,y2,threshold\n' >"$p/other.csv"
printf 'image,class_id,class,confidence,x1,y1,x2,y2\na.jpg,0' >"$p/cut.csv"
: >"$p/empty"
fails "nothing" 'no results named'
fails "no file" 'none.json: no such file' "$p/none.json"
fails "two kinds" 'a.jsonl:1: JSON Lines, but .*/a.json is a JSON array' "$p/a.json" "$p/a.jsonl"
fails "records and COCO's" 'coco.json:2: .* begins with "image_id", .*"image"' "$p/a.json" "$p/coco.json"
fails "an array cut off" 'cut.json:3: the file ends in the middle' "$p/a.json" "$p/cut.json"
fails "a line cut off" 'cut.jsonl:2: the file ends in the middle' "$p/a.jsonl" "$p/cut.jsonl"
fails "a row cut off" 'cut.csv:2: the file ends in the middle' "$p/a.csv" "$p/cut.csv"
fails "another header" 'other.csv:1: another header than that of .*/a.csv' "$p/a.csv" "$p/other.csv"
fails "an array without brackets" 'empty: empty, without even brackets' "$p/a.json" "$p/empty"
fails "rows without a header" 'empty: empty, without even a header' "$p/empty" "$p/a.csv"
printf 'image,class_id,class,confidence,"x1\n",y1\na.jpg,0\n' >"$p/quoted.csv"
fails "quotes in the header" 'quoted.csv:1: quotes in the header' "$p/quoted.csv"
printf 'a.jpg: 2x1, 0 objects\nb\0.jpg: 2x1, 0 objects\n' >"$p/zero"
fails "a zero byte in text" 'zero:2: control characters' "$p/zero"
fails "a part twice" 'a.json: is named twice' "$p/a.json" "$p/a.json"
fails "the weights" 'control characters: no results file' "$root/weights/tabletop.weights"
fails "into a part" '--out .*a.json is one of the parts' "$p/a.json" --out "$p/a.json"
holds grep -q a.jpg "$p/a.json"
printf '[ {"image": "a \\"}, ]", "objects": [ {"k": [1, {}]} ] } , {"image": "b\\\\"}]' >"$p/odd.json"
try "merge: an array of another's hand" "$YOLO" merge "$p/odd.json"
status 0
json 'count("^\\[[0-9]\\]\\.image$") == 2 && v["[0].objects[0].k[0]"] == 1'
printf 'image,class_id,class,confidence\n"a\nimage,class_id,class,confidence\n.jpg",0,x,0.5\n' >"$p/odd.csv"
try "merge: a name of two lines" "$YOLO" merge "$p/odd.csv"
status 0
holds cmp -s "$work/out" "$p/odd.csv"

printf 'image,class_id,class,confidence,gr\303\266\303\237e\na.jpg,0,x,0.5,1\n' >"$p/bytes.csv"
try "merge: bytes over 127 in the header" "$YOLO" merge "$p/bytes.csv"
status 0
holds cmp -s "$work/out" "$p/bytes.csv"

# ---- eval ----

set=$work/set/synth.data
measure=(eval "$set" --imgsz 96 --points 101 --format json)
e=$work/eval
"$YOLO" "${measure[@]}" -q >"$work/whole.json" 2>/dev/null
"$YOLO" eval "$set" --imgsz 96 --out "$work/whole-out" >"$work/whole.txt" 2>/dev/null
for i in 1 2 3 4; do
    try "eval: share $i of 4" "$YOLO" "${measure[@]}" --shard "$i/4" --out "$e" --batch "$i"
    status 0
    holds [ -s "$e/share-$i-of-4.jsonl" ]
    err "share $i of 4: pictures [0-9]+ to [0-9]+ of 9"
done
json 'v["share"] == "share 4 of 4: pictures 8 to 9 of 9" && v["images"] == 2'
all=(--results "$e/share-1-of-4.jsonl" --results "$e/share-2-of-4.jsonl" --results "$e/share-3-of-4.jsonl"
    --results "$e/share-4-of-4.jsonl")
holds [ "$(find "$e" -type f | wc -l)" -eq 4 ]
try "eval: four shares are the whole, to the last bit" "$YOLO" eval "$set" --points 101 --format json "${all[@]}"
status 0
holds cmp -s "$work/out" "$work/whole.json"
json 'v["AP50"] > .2 && v["images"] == 9'
try "eval: in any order, by a pattern, with tables" "$YOLO" eval "$set" --results "$e/share-[4321]-of-4.jsonl" --out "$work/merged-out"
status 0
holds cmp -s "$work/out" "$work/whole.txt"
holds diff -r "$work/whole-out" "$work/merged-out"
cat "$e/share-3-of-4.jsonl" "$e/share-4-of-4.jsonl" "$e/share-1-of-4.jsonl" "$e/share-2-of-4.jsonl" >"$work/row.jsonl"
try "eval: shares one after another in a file" "$YOLO" eval "$set" --results "$work/row.jsonl" --points 101 --format json
status 0
holds cmp -s "$work/out" "$work/whole.json"
try "eval: text and csv say that it is a share" "$YOLO" eval "$set" --imgsz 96 --shard 2/4 --format csv --out "$e"
status 0
out ',share$'
out '^,all,.*,share 2 of 4: pictures 4 to 5 of 9$'
try "eval: text and csv say that it is a share" "$YOLO" eval "$set" --imgsz 96 --shard 12/12 --out "$work/twelve"
status 0
out '^only share 12 of 12: none of the 9 pictures$'
out '^AP +-  IoU'
holds [ "$(wc -l <"$work/twelve/share-12-of-12.jsonl")" -eq 1 ]
for i in $(seq 11); do "$YOLO" eval "$set" --imgsz 96 --shard "$i/12" --out "$work/twelve" -q >"$work/out" 2>/dev/null; done
try "eval: more shares than pictures" "$YOLO" eval "$set" --results "$work/twelve/share-*-of-12.jsonl" --points 101 --format json
status 0
holds cmp -s "$work/out" "$work/whole.json"

# A bare folder has no names but the network's, thresholds by class, a picture that cannot be read.
cp -r "$work/set" "$work/broken"
cp "$in/b/broken.jpg" "$(find "$work/broken/images/val" -name '*.jpg' | sort | sed -n 5p)"
thresholds=(--conf 'cube=.3,sphere=.2,.1' --imgsz 96)
try "eval: thresholds by class, of one process" "$YOLO" eval "$work/broken/images/val" "${thresholds[@]}" --format json
status 3
cp "$work/out" "$work/whole.json"
for i in 1 2 3; do
    "$YOLO" eval "$work/broken/images/val" "${thresholds[@]}" --shard "$i/3" --out "$work/three" >"$work/out.$i" 2>/dev/null
    statuses[i]=$?
done
try "eval: thresholds by class, of three" "$YOLO" eval "$work/broken/images/val" --results "$work/three/share-*-of-3.jsonl" --format json
status 3
holds cmp -s "$work/out" "$work/whole.json"
json 'v["failed"] == 1 && v["conf"] == "cube=.3,sphere=.2,.1" && v["classes[0].name"] == "sphere"'
holds [ "${statuses[*]}" = "0 3 0" ]

# COCO's truth, with an image that has no file.
prepare "$YOLO" convert "$set" --out "$work/coco"
sed 's/"images":[[:space:]]*\[/&{"id": 77, "width": 9, "height": 9},/' "$work/coco/valid.json" >"$work/coco/odd.json"
truth=$work/coco/odd.json
try "eval: COCO's truth, of one process" "$YOLO" eval "$truth" --images "$work/set/images/val" --imgsz 96 --format json
status 3
err 'odd.json:.* images.0.\.file_name: is missing'
cp "$work/out" "$work/whole.json"
for i in 1 2; do "$YOLO" eval "$truth" --images "$work/set/images/val" --imgsz 96 --shard "$i/2" --out "$work/two" -q >"$work/out" 2>/dev/null; done
try "eval: COCO's truth, of two" "$YOLO" eval "$truth" --results "$work/two/share-1-of-2.jsonl" --results "$work/two/share-2-of-2.jsonl" --format json
status 3
holds cmp -s "$work/out" "$work/whole.json"

# ---- eval: what does not belong together ----

refused() { # NAME MESSAGE DATA FILE...
    local data=$3 files=() file
    for file in "${@:4}"; do files+=(--results "$file"); done
    try "eval: $1" "$YOLO" eval "$data" "${files[@]}"
    status 2
    one_error "$2"
    out_empty
}
s=$e/share
"$YOLO" eval "$set" --imgsz 96 --shard 2/4 --conf .1 --out "$work/other" -q >"$work/out" 2>/dev/null
"$YOLO" eval "$set" --imgsz 64 --shard 2/4 --out "$work/small" -q >"$work/out" 2>/dev/null
"$YOLO" eval "$set" --imgsz 96 --shard 2/4 --jpeg turbo --out "$work/turbo" -q >"$work/out" 2>/dev/null
"$YOLO" eval "$set" --imgsz 96 --shard 2/5 --out "$work/other" -q >"$work/out" 2>/dev/null
sed '1s/"cube"/"box"/' "$s-2-of-4.jsonl" >"$work/boxes.jsonl"
refused "a share is missing" 'share 3 of 4 is missing$' "$set" "$s-1-of-4.jsonl" "$s-2-of-4.jsonl" "$s-4-of-4.jsonl"
refused "two shares are missing" 'share 1 of 4 is missing \(2 in all are\)' "$set" "$s-2-of-4.jsonl" "$s-4-of-4.jsonl"
refused "a share twice" 'share-2-of-4.jsonl:1: .*share 2 of 4 is in .*/row.jsonl already' "$set" "$work/row.jsonl" "$s-2-of-4.jsonl"
refused "another --conf" 'share-2-of-4.jsonl:1: conf is .1, but 0.005 in .*share-1-of-4' "$set" "$s-1-of-4.jsonl" "$work/other/share-2-of-4.jsonl"
refused "another --imgsz" 'share-2-of-4.jsonl:1: imgsz is 64x64, but 96x96 in' "$set" "$s-1-of-4.jsonl" "$work/small/share-2-of-4.jsonl"
refused "another --jpeg" 'share-2-of-4.jsonl:1: jpeg is turbo, but stb in' "$set" "$s-1-of-4.jsonl" "$work/turbo/share-2-of-4.jsonl"
refused "another number of shares" 'a share of 5, but of 4 in' "$set" "$s-1-of-4.jsonl" "$work/other/share-2-of-5.jsonl"
refused "other classes" 'boxes.jsonl:1: class 1 is "box", but "cube" in' "$set" "$s-1-of-4.jsonl" "$work/boxes.jsonl"
refused "another truth" 'share-1-of-4.jsonl:1: of 9 pictures, but the truth has 1' "$work/set/train.txt" "$s-1-of-4.jsonl"
refused "a share and a record" 'no record of a share of yolo eval' "$set" "$s-1-of-4.jsonl" "$p/a.jsonl"

# ---- eval: shares of detect ----

"$YOLO" detect "$work/set/images/val" --imgsz 96 --conf .01 --no-save --format json -q >"$p/records" 2>/dev/null
try "eval: records of one process" "$YOLO" eval "$set" --results "$p/records" --format json
status 0
cp "$work/out" "$work/whole.json"
for i in 1 2 3; do
    "$YOLO" detect "$work/set/images/val" --imgsz 96 --conf .01 --no-save --format json -q --shard "$i/3" >"$p/records-$i" 2>/dev/null
done
try "eval: records of three" "$YOLO" eval "$set" --results "$p/records-2" --results "$p/records-3" --results "$p/records-1" --format json
status 0
holds cmp -s "$work/out" "$work/whole.json"
no_err 'was --conf another one'
refused "a picture in two files" 'records-1:2: .*: a record of .* is in .*/records, too' "$set" "$p/records" "$p/records-1"
refused "pictures in none" 'no record of 3 of the 9 pictures, .*03.jpg to .*05.jpg: is a share missing' "$set" "$p/records-1" "$p/records-3"
refused "a record and a share" 'a share of yolo eval, which .*/records-1 is not' "$set" "$p/records-1" "$e/share-1-of-4.jsonl"
sed 's/"cube"/"box"/' "$p/records-2" >"$p/boxes"
refused "another class" 'class 1 is "box" here, but "cube" in the truth' "$set" "$p/records-1" "$p/boxes" "$p/records-3"
refused "another class, where the truth has no names" 'class 1 is "box" here, but "cube" before it' "$work/set/val.txt" "$p/records-1" "$p/boxes" "$p/records-3"
sed 's/"confidence"/"threshold":0.3,"confidence"/' "$p/records-1" >"$p/threshold-1"
sed 's/"confidence"/"threshold":0.4,"confidence"/' "$p/records-2" >"$p/threshold-2"
refused "other thresholds by class" 'threshold: 0.4, but 0.3 before it: other thresholds' "$set" "$p/threshold-1" "$p/threshold-2" "$p/records-3"
"$YOLO" detect "$work/set/images/val" --imgsz 96 --conf .0001 --max-det 0 --no-save --format json -q --shard 1/2 >"$p/low" 2>/dev/null
"$YOLO" detect "$work/set/images/val" --imgsz 96 --conf .001 --max-det 0 --no-save --format json -q --shard 2/2 >"$p/high" 2>/dev/null
try "eval: another --conf shows" "$YOLO" eval "$set" --results "$p/low" --results "$p/high"
status 0
err 'detections of .*/low are below 0.001[0-9]*, none of .*/high: was --conf another one\?'

# ---- what does not go together ----

useless() { # MESSAGE WORD...
    try "$1" "$YOLO" "${@:2}"
    status 2
    one_error "$1"
    out_empty
}
useless '--shard has no effect with --results' eval "$set" --results "$p/records" --shard 1/2
useless '--worst has no effect with --shard' eval "$set" --shard 1/2 --out "$work/o" --worst 3
useless '--shard has no effect with --compare' eval --compare "$work" "$work" --shard 1/2
useless '--names has no effect: the classes are those of .*share-1-of-4' eval "$set" --names "$work/set/synth.names" "${all[@]}"
useless 'eval: unexpected .*records-2 \(--results once for each file' eval "$set" "$p/records-2" --results "$p/records-1"
useless '--results .*/none-\*: no such file' eval "$set" --results "$p/none-*"
# What is left of an earlier run is not taken for a share that failed.
echo old >"$e/share-1-of-4.jsonl"
try "eval: an old share goes first" "$YOLO" eval "$set" --shard 1/4 --out "$e" --weights "$work/none.weights"
status 2
holds [ ! -e "$e/share-1-of-4.jsonl" ]
try "eval: no detector, no share" "$YOLO" eval "$work/set/val.txt" --cfg "$root/tests/golden/classifier.cfg" --weights "$root/tests/golden/classifier.weights" --names "$work/digits.names" --shard 1/2 --out "$e"
status 2
one_error '--shard acts here only on detectors'
finish
