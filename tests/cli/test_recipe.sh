#!/usr/bin/env bash
# yolo train without flags: what it chooses, that it says and keeps it, and that it gets somewhere.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$root/tests/cli/lib_train.sh"
ln -s "$root/cfg" cfg
ln -s "$root/weights" weights
data=(--data set/synth.data)

# ---- whose settings hold ----
try "a cfg of this program" "$YOLO" train "${data[@]}" --cfg cfg/tabletop.cfg --imgsz 64 --dry-run
status 0
out '^recipe +auto, by 24 pictures and a start from random numbers'
out '^  --batch 16 +recipe '
out '^  --optimizer adamw +recipe '
out '^  --epochs 250 +recipe '
out '^  --bn-start mean +recipe '
out '^  --assign-iou +cfg '
out '^  --close-mosaic 10 +recipe '
out '^  --best map +recipe '
out '^length +500 updates of 16 pictures'
out '^rate +0.001, policy cosine, warm-up 20 updates'
try "begun with weights" "$YOLO" train "${data[@]}" --cfg cfg/tabletop.cfg --weights weights/tabletop.weights --imgsz 64 \
    --lr-policy constant --batch 8 --dry-run
status 0
out '^recipe +auto, by 24 pictures and a start from weights'
out '^  --batch 8 +given '
out '^  --lr-policy constant +given '
out '^  --epochs 100 +recipe '
out '^  --bn-start stored +recipe '
try "the cfg alone" "$YOLO" train "${data[@]}" --cfg cfg/tabletop.cfg --imgsz 64 --recipe darknet --dry-run
status 0
out '^recipe +darknet: '
no_out '^  --batch'
out '^length +4000 updates of 16 pictures'
try "a cfg with layers of its own" "$YOLO" train "${data[@]}" --cfg tiny.cfg --dry-run
status 0
out '^recipe +darknet, since the cfg has layers of its own.*--recipe auto'
out '^length +120 updates of 4 pictures'
try "a burn_in longer than the run" "$YOLO" train "${data[@]}" --cfg cfg/tabletop.cfg --imgsz 64 --iters 30 --dry-run
status 0
out 'warm-up 3 updates'
try "Darknet's order of words" "$YOLO" detector train set/synth.data cfg/tabletop.cfg --imgsz 64 -dry-run
status 0
out '^recipe +darknet: '
try "an overlap above 1" "$YOLO" train "${data[@]}" --cfg tiny.cfg --assign-iou 2 --dry-run
status 2
one_error 'assign-iou'

try "an unknown measure" "$YOLO" train "${data[@]}" --cfg tiny.cfg --best recall --dry-run
status 2
one_error '--best.*map50'

# ---- what is chosen is kept ----
auto=("${data[@]}" --cfg tiny.cfg --recipe auto --epochs 60 --close-mosaic 20 --checkpoint-every 7 --val-every 10 -q)
try "a run" "$YOLO" train "${auto[@]}" --out whole
status 0
holds grep -q '"recipe":[[:space:]]*"auto"' whole/args.json
holds grep -q '"bn-start":[[:space:]]*"mean"' whole/args.json
holds grep -q '"choice":[[:space:]]*"--clip-norm 100"' whole/args.json
try "the same again" "$YOLO" train "${auto[@]}" --out again --threads 2
status 0
holds cmp whole/last.weights again/last.weights
try "stopped and resumed, bit for bit" true
interrupt_at stopped/last.state "$YOLO" train "${auto[@]}" --out stopped
status 130
try "resumed" "$YOLO" train --resume stopped
status 0
err 'recipe +as the run began'
holds cmp whole/last.weights stopped/last.weights
holds cmp whole/best.weights stopped/best.weights
try "without mosaics from the beginning of their end" "$YOLO" train "${auto[@]}" --close-mosaic 60 --out closed
status 0
"$YOLO" train "${auto[@]}" --no-mosaic --out none >/dev/null 2>&1
holds cmp closed/last.weights none/last.weights
if cmp -s whole/last.weights closed/last.weights; then fault "mosaics make no difference"; fi

# Update and score of the validation that is the best by a column of results.csv, and what the log says.
best_by() { # COLUMN FOLDER
    awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
        $at != "" && $at >= best { best = $at; update = $1 } END { printf "%.4f at %d\n", best, update }' "$2/results.csv"
}
try "the best by mAP@.5:.95, a resumed run's, too" true
holds grep -q "best mAP@.5:.95 $(best_by map50_95 whole)\$" whole/train.log
holds grep -q "best mAP@.5:.95 $(best_by map50_95 stopped)\$" stopped/train.log
try "the best by mAP@.5" "$YOLO" train "${auto[@]}" --best map50 --out by50
status 0
holds grep -q "best mAP@.5 $(best_by map50 by50)\$" by50/train.log
holds cmp whole/last.weights by50/last.weights

# ---- init says the same ----
try "init" "$YOLO" init --data set/synth.data --base yolov4-tiny --imgsz 64 --out made --weights none
status 0
out '^takes +[0-9.e-]+ GB a mini-batch.* s an update'
out '^length +500 updates of 16 pictures: 250 passes over 24 pictures, begun with random numbers'
no_out '--recipe'
holds grep -qx 'burn_in = 20' made/made.cfg
holds test "$(grep -c 'iou_thresh=0.213' made/made.cfg)" -eq 2
"$YOLO" train --data made/made.data --cfg made/made.cfg --dry-run >table 2>&1
holds grep -q '^  --epochs 250 ' table
holds grep -q '^length .*500 updates of 16 pictures' table
try "init of a base with layers of its own" "$YOLO" init --data set/synth.data --base ./tiny.cfg --out own --freeze 0-1
status 0
out 'yolo train --data own/own.data --cfg own/own.cfg --recipe auto'
holds diff own/stages.json - <<'END'
[
  {"freeze": "0-1", "epochs": 75},
  {"freeze": "none", "epochs": 175}
]
END
try "its stages" "$YOLO" train --data own/own.data --cfg own/own.cfg --recipe auto --stages own/stages.json --dry-run
status 0
out '^  --optimizer adamw +recipe '

# ---- it gets somewhere ----
close_test
(cd "$root" && YOLO=$YOLO scripts/test_recipe.sh 1 2 3) >"$work/trainings" 2>&1 </dev/null
for number in 1 2 3; do
    try "training $number: $(sed -n "s/^[a-zA-Z]* $number //p" "$work/trainings")" grep "^ok $number " "$work/trainings"
    status 0
done
finish
