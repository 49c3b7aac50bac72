#!/usr/bin/env bash
# What a run of yolo train leaves for people and for later: thresholds by class and --conf best, pictures, and
# the comparison of runs.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source=tests/cli/lib_squares.sh
. "$(dirname "$0")/lib_squares.sh"
base=(--data set/two.data --cfg tiny.cfg --seed 3)

# ---- the run's folder ----

try "a run" "$YOLO" train "${base[@]}" --iters 120 --val-every 20 --out good
status 0
for file in thresholds.json train_pictures.jpg val_pictures.jpg chart.png; do
    holds [ -s "good/$file" ]
done
err '^  class +objects +AP@.5 +AP@.5:.95 +precision +recall +best conf$'
err '^  all +[0-9]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+$'
err 'good/thresholds.json.*--conf best'
json 'v["images"] == 4 && v["classes[0].name"] != "" && ("classes[1].threshold" in v) && !("conf" in v)' good/thresholds.json
cp good/thresholds.json kept.json
try "what eval finds" "$YOLO" eval --run good --format json
status 0
json 'v["conf"] == "0.005"'
grep -v '"conf"' out >found.json
grep -v '"conf"' good/thresholds.json >left.json
holds agree 1e-5 left.json found.json
try "without pictures" "$YOLO" train "${base[@]}" --iters 3 --val-every 3 --no-pictures --out bare -q
status 0
holds [ ! -e bare/train_pictures.jpg ]; holds [ ! -e bare/val_pictures.jpg ]; holds [ -s bare/thresholds.json ]
json 'v["no-pictures"] == "true"' bare/args.json
no_err 'AP@.5:.95'
try "without pictures, dry" "$YOLO" train "${base[@]}" --iters 3 --no-pictures --dry-run
status 0
out "^pictures +none in the run's folder \(--no-pictures\)$"
try "pictures change no byte" "$YOLO" train "${base[@]}" --iters 3 --val-every 3 --out seen -q
status 0
holds cmp bare/last.weights seen/last.weights; holds cmp bare/thresholds.json seen/thresholds.json
holds [ -s seen/train_pictures.jpg ]
try "without validation" "$YOLO" train --data set/few.data --cfg tiny.cfg --iters 3 --out blind
status 0
holds [ ! -e blind/thresholds.json ]; holds [ ! -e blind/val_pictures.jpg ]; holds [ -s blind/train_pictures.jpg ]
no_err 'best conf'
try "resumed, nothing new: the table stands" "$YOLO" train --resume good
status 0
err 'best conf$'
holds cmp kept.json good/thresholds.json

# A run of an older program: its results.csv lacks a column.
cp -r good old
sed -i 's/,map50_95//' old/results.csv
awk -F, -v OFS=, 'NR == 1 { print; next } { line = $1; for (i = 2; i <= NF; i++) if (i != 13) line = line OFS $i; print line }' \
    old/results.csv >thin.csv && mv thin.csv old/results.csv
try "an older run goes on" "$YOLO" train --resume old --stage "freeze=none iters=120" --stage "freeze=none iters=4 lr=1e-4" -q
status 0
holds [ "$(head -n 1 old/results.csv)" = "$(head -n 1 good/results.csv)" ]
holds [ "$(tail -n 1 old/results.csv | cut -d, -f1)" = 124 ]
holds [ "$(awk -F, 'NF != 17' old/results.csv | wc -l)" = 0 ]

# ---- at the size at which it was trained ----

try "trained at another size than the cfg's" "$YOLO" train "${base[@]}" --iters 30 --val-every 30 --imgsz 96x32 --out sized -q
status 0
try "a run is measured at its own size" "$YOLO" eval --run sized --format json
status 0
err '^input: 96x32, as the run was trained'
grep -v '"conf"' out >found.json
grep -v '"conf"' sized/thresholds.json >left.json
holds agree 1e-5 left.json found.json
try "what is asked for holds" "$YOLO" detect --run sized set/images --no-save --imgsz 64 -v
status 0; no_err '^input: '
try "a run at the cfg's size" "$YOLO" detect --run bare set/images --no-save
status 0; no_err '^input: '
cp -r sized torn
sed -i 's/96x32/96xx/' torn/args.json
try "a damaged args.json" "$YOLO" detect --run torn set/images --no-save
status 0; err "torn/args.json.*the input's size is the cfg's"

# ---- --conf ----

threshold() { # CLASS: as the run left it
    "$helpers/flat" good/thresholds.json | sed -n "s/^classes\[$1\]\.threshold=//p"
}
first=$(sed -n 1p good/tiny.names)
pictures=set/images
try "best" "$YOLO" detect --run good $pictures --conf best --no-save --format jsonl
status 0
err "^confidence: $first [0-9.]+, .* \(good/thresholds.json\)$"
cp out best.jsonl
# shellcheck disable=SC2016 # awk's
holds awk -v a="$(threshold 0)" -v b="$(threshold 1)" '
    { n = split($0, o, "\"class_id\":")
      for (i = 2; i <= n; i++) {
          id = o[i] + 0; c = o[i]; sub(/.*"confidence":/, "", c); t = o[i]; sub(/.*"threshold":/, "", t)
          w = id ? b : a; d = t - w; if (d < 0) { d = -d }
          if (c + 0 <= w - 1e-6 || d > 1e-6) { bad = 1 }
          seen++
      } }
    END { exit bad || !seen }' best.jsonl
try "one threshold tells nothing of it" "$YOLO" detect --run good $pictures --conf .3 --no-save --format jsonl
status 0
no_out 'threshold'
try "by class" "$YOLO" detect --run good $pictures --conf "$first=.9,.005" --no-save --format csv
status 0
out '^image,class_id,class,confidence,x1,y1,x2,y2,threshold$'
no_out ',0,[^,]*,0\.[0-8]'
out ",1,.*,0\.005000$"
try "-thresh takes it, too" "$YOLO" detect --run good $pictures -thresh "0=.9,1=1" --no-save --format csv
status 0
no_out ',1,.*,1\.0000'
try "best of which run" "$YOLO" detect $pictures --cfg tiny.cfg --weights good/best.weights --conf best
status 2; one_error '--conf best: of which training\? \(--run DIR'
try "a run without thresholds" "$YOLO" detect $pictures --run blind --conf best
status 2; one_error 'blind/thresholds.json: no such file \(.*yolo eval --run blind --format json'
try "made as it says" "$YOLO" eval set/two.data --run blind --format json
status 0
cp out blind/thresholds.json
try "and then" "$YOLO" detect $pictures --run blind --conf best --no-save --format csv
status 0; err 'blind/thresholds.json'
try "an unknown class" "$YOLO" detect $pictures --run good --conf "${first}x=.5" --no-save
status 2; one_error "no class '${first}x' \(did you mean '$first'\?\)"
try "no threshold" "$YOLO" detect $pictures --run good --conf 2 --no-save
status 2; one_error '--conf 2: must be between 0 and 1'
try "nothing of the net is read first" "$YOLO" detect $pictures --run good --conf .4,.5 --no-save
status 2; one_error 'two thresholds'
try "eval at a run's thresholds" "$YOLO" eval --run good --conf best --format json
status 0
json 'v["conf"] == "best" && v["classes[0].threshold"] > 0'
holds agree 1e-6 <(threshold 0) <("$helpers/flat" out | sed -n 's/^classes\[0\]\.threshold=//p')
holds agree 1e-6 <("$helpers/flat" good/thresholds.json | sed -n 's/^classes\[0\]\.\(recall\|precision\)=//p') \
    <("$helpers/flat" out | sed -n 's/^classes\[0\]\.\(recall\|precision\)=//p')

# ---- yolo eval --compare ----

try "two runs" "$YOLO" eval --compare good bare
status 0
out '^run +updates +minutes +ms +mAP@.5 +mAP@.5:.95$'
out '^good +120 +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+$'
out '^bare +3 +[0-9.]+ +[0-9.]+ +[0-9.]+ +[-+][0-9.]+ \[[-+][0-9.]+, [-+][0-9.]+\] +[0-9.]+ +[-+][0-9.]+ \[[-+][0-9.]+, [-+][0-9.]+\]$'
out '95 % of 1000 draws of 4 pictures'
out '^iters +120 +3$'
out '^no-pictures +no +yes$'
no_out '^(seed|data) '
try "the same as JSON" "$YOLO" eval --compare good bare good --format json
status 0
json 'v["runs[0].run"] == "good" && v["runs[2].difference.AP50.value"] == 0 && v["runs[2].difference.AP.high"] == 0 &&
    v["runs[1].difference.AP50.low"] <= v["runs[1].difference.AP50.high"] && v["runs[1].updates"] == 3 &&
    v["images"] == 4 && v["draws"] == 1000 && v["runs[0].classes[1].AP50"] >= 0 && any("differs", "argument", "iters")'
cp out first.json
"$helpers/flat" good/thresholds.json | sed -n 's/^AP50=//p' >left
"$helpers/flat" out | sed -n 's/^runs\[0\]\.AP50=//p' >told
holds agree 1e-5 left told
try "again, on one thread" "$YOLO" eval --compare good bare good --format json --threads 1
status 0
grep -v '"ms"' out >again.json
grep -v '"ms"' first.json >before.json
holds cmp before.json again.json
try "a row a run" "$YOLO" eval --compare good bare --format csv --data set/eight.data
status 0
out '^run,updates,seconds,ms,AP50,AP50_difference,AP50_low,AP50_high,AP50_better,AP,'
holds [ "$(wc -l <out)" -eq 3 ]
err '^set/eight.txt: 8 images, .* 2 runs$'
cp -r bare other
printf 'triangle\ncircle\n' >other/tiny.names
try "other classes" "$YOLO" eval --compare good other
status 2; one_error "other: class 0 is 'triangle', in good it is '$first'"
printf '%s\n' "$first" >other/tiny.names
try "fewer classes" "$YOLO" eval --compare good other
status 2; one_error 'other has 1 classes, good 2: '
try "one run" "$YOLO" eval --compare good
status 2; one_error 'Two at least'
try "no run" "$YOLO" eval --compare good nowhere
status 2; one_error 'nowhere: no such folder'
try "what it has no use for" "$YOLO" eval --compare good bare --points 101
status 2; one_error '--points has no effect with --compare'
try "two sets, no comparison" "$YOLO" eval set/two.data set/eight.data
status 2; one_error 'unexpected set/eight.data'
finish
