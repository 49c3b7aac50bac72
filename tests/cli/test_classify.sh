#!/usr/bin/env bash
# yolo classify, and detect on a classifier: the best classes of pictures.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
golden=$root/tests/golden
prepare "$YOLO" synth set --train 3 --valid 2 --size 32 --seed 5
prepare cp "$golden/classifier.cfg" "$golden/classifier.weights" .
prepare sh -c 'printf "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n" >classifier.names'
mapfile -t pictures < <(find set -name '*.jpg' -o -name '*.png' -o -name '*.bmp' | sort)
prepare test "${#pictures[@]}" -ge 5
picture=${pictures[0]}
model=(--cfg classifier.cfg)

try "text: five classes, the best first" "$YOLO" classify "$picture" "${model[@]}"
status 0
out "^$picture: 32x32$"
holds [ "$(grep -cE '^  (zero|one|two|three|four|five|six|seven|eight|nine) +0\.[0-9]{3}$' "$work/out")" -eq 5 ]
holds awk 'NR > 2 && $2 > last { exit 1 } { last = $2 }' "$work/out"
err '1 image, 0 failed'
no_err 'annotated'

try "all classes sum to 1" "$YOLO" classify "$picture" "${model[@]}" --top 10 --format csv
status 0
out '^image,class_id,class,confidence$'
holds awk -F, 'NR > 1 { sum += $4; n++ } END { exit !(n == 10 && sum > .9999 && sum < 1.0001) }' "$work/out"
cp "$work/out" all.csv

try "json" "$YOLO" classify "${pictures[@]}" gone.png "${model[@]}" --top 2 --format json --batch 3
status 3
json 'count("^\\[[0-9]+\\]\\.image$") == 6 && count("classes\\[[0-9]+\\]\\.name$") == 10 && count("box|objects") == 0'
json 'v["[0].width"] == 32 && v["[5].error"] != "" && v["[0].classes[0].confidence"] >= v["[0].classes[1].confidence"]'
one_error 'gone.png'

"$YOLO" classify "${pictures[@]}" "${model[@]}" --format csv 2>"$work/err" >one.csv
try "batch mates change nothing" "$YOLO" classify "${pictures[@]}" "${model[@]}" --format csv --batch 4 --threads 1
status 0
holds cmp "$work/out" one.csv
try "nor do pictures beside" "$YOLO" classify "${pictures[@]}" "${model[@]}" --format csv --threads 2
status 0
err ', 2 at a time; '
holds cmp "$work/out" one.csv

try "detect does the same" "$YOLO" detect "$picture" "${model[@]}" --format csv --top 10
status 0
holds cmp "$work/out" all.csv
holds [ ! -e runs ]

try "only some classes" "$YOLO" classify "$picture" "${model[@]}" --classes nine,0 --format csv
status 0
holds [ "$(wc -l <"$work/out")" -eq 3 ]
out ',9,nine,'

try "a folder, in order" "$YOLO" classify set "${model[@]}" --format jsonl --top 1
status 0
jsonl 'count("^\\[[0-9]+\\]\\.image$") >= 5'

refuse() { # NAME ERROR WORDS...
    try "$1" "$YOLO" "${@:3}"
    status 2
    out_empty
    one_error "$2"
}
for format in yolo voc; do
    refuse "detect --format $format" "--format $format is for boxes, classifier.cfg is a classifier \(text\|json\|jsonl\|csv\)" \
        detect "$picture" "${model[@]}" --format $format
done
refuse "classify --format yolo" "format" classify "$picture" "${model[@]}" --format yolo
refuse "--conf" "--conf acts only on boxes" detect "$picture" "${model[@]}" --conf .3
refuse "--iou" "--iou acts only on boxes" detect "$picture" "${model[@]}" --iou .3
refuse "--crops" "--crops acts only on boxes" detect "$picture" "${model[@]}" --crops
refuse "--out" "--out acts only on boxes" detect "$picture" "${model[@]}" --out x
refuse "--top 0" "top" classify "$picture" "${model[@]}" --top 0
refuse "no input" "no input" classify "${model[@]}"
refuse "a detector" "tiny.cfg: a detector.*yolo detect" classify "$picture" --cfg "$golden/tiny.cfg"
refuse "--top with a detector" "--top acts only with a classifier" detect "$picture" --cfg "$golden/tiny.cfg" --top 3 --no-save
printf 'a\nb\n' >two.names
refuse "too few names" "two.names: 2 names, but the network of classifier.cfg has 10 classes" classify "$picture" "${model[@]}" --names two.names
finish
