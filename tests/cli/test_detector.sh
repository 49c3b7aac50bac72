#!/usr/bin/env bash
# Darknet's command lines: yolo detector JOB, -out FILE, lists on stdin, and the words that mean nothing here.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
model=(data/tabletop/tabletop.data cfg/tabletop.cfg weights/tabletop.weights)
pictures=(data/tabletop/images/val/000000.jpg data/tabletop/images/val/000001.jpg)
detect=("$YOLO" detect --model tabletop --no-save)

# shellcheck disable=SC2317 # called by holds
same() { # FILE FILE: but for the times
    cmp <(sed 's/,"ms":.*//' "$1") <(sed 's/,"ms":.*//' "$2")
}

"${detect[@]}" "${pictures[@]}" --format json -q >"$work/want.json" 2>/dev/null

# ---- detector test ----

try "detector test -out FILE writes the results there" "$YOLO" detector test "${model[@]}" "${pictures[@]}" -thresh .25 \
    -out "$work/result.json" --no-save
status 0
out_empty
holds same "$work/want.json" "$work/result.json"
err "^results: $work/result.json"
holds [ ! -d "$work/result.json" ]
try "--format says in which words" "$YOLO" detector test "${model[@]}" "${pictures[@]}" -out "$work/result.csv" --format csv --no-save
status 0
holds grep -q '^image,class_id,class,' "$work/result.csv"
try "a failed run leaves the old file" "$YOLO" detector test data/tabletop/tabletop.data none.cfg none.weights "${pictures[0]}" \
    -out "$work/result.json"
status 2
holds same "$work/want.json" "$work/result.json"
holds [ -z "$(find "$work" -name 'result.json?*' -o -name '.result*')" ]
cp "${pictures[0]}" "$work/own.jpg"
try "never over an input" "$YOLO" detector test "${model[@]}" "$work/own.jpg" -out "$work/own.jpg" --no-save
status 2
one_error 'is itself an input'
holds cmp "${pictures[0]}" "$work/own.jpg"
mkdir "$work/folder"
try "nor a folder" "$YOLO" detector test "${model[@]}" "${pictures[0]}" -out "$work/folder" --no-save
status 2
one_error 'names a folder, not a file \(--out DIR'
try "nor a device" "$YOLO" detector test "${model[@]}" "${pictures[0]}" -out /dev/null --no-save
status 2
one_error 'is no regular file'
try "some pictures failed: the others are in it" "$YOLO" detector test "${model[@]}" "$work/none.jpg" "${pictures[0]}" \
    -out "$work/some.json" --no-save
status 3
holds grep -q '"error"' "$work/some.json"
holds grep -q '"objects":\[{' "$work/some.json"

printf '%s\n' "${pictures[@]}" >"$work/list.txt"
try "a list on stdin" true
"$YOLO" detector test "${model[@]}" --no-save --format json -q <"$work/list.txt" >"$work/listed.json" 2>/dev/null
holds same "$work/want.json" "$work/listed.json"
try "a pipe" true
"$YOLO" detector test "${model[@]}" -thresh .25 --no-save --format json -q >"$work/piped.json" 2>/dev/null < <(cat "$work/list.txt")
holds same "$work/want.json" "$work/piped.json"
try "no list, no picture" "$YOLO" detector test "${model[@]}" --no-save
status 2
one_error 'no input'

# ---- words ----

try "words without effect are noted, each once" "$YOLO" detector test "${model[@]}" "${pictures[@]}" -i 0 -gpus 0,1 -dont_show \
    -ext_output -dont_show -hier .5 -benchmark_layers --format json --no-save
status 0
holds same "$work/want.json" "$work/out"
holds [ "$(grep -c "Darknet's; everything runs on the CPU" "$work/err")" -eq 1 ]
holds [ "$(grep -c "Darknet's; no window is ever shown" "$work/err")" -eq 1 ]
try "silently with -q" "$YOLO" detect "${pictures[0]}" --model tabletop --no-save -i 0 -q
status 0
no_err 'Darknet'
"$YOLO" synth "$work/wide" --train 1 --val 0 --size 480x240 --seed 5 -q >/dev/null 2>&1
"${detect[@]}" --conf .001 --letterbox "$work/wide" --format json -q >"$work/boxed.json" 2>/dev/null
"${detect[@]}" --conf .001 --stretch "$work/wide" --format json -q >"$work/stretched.json" 2>/dev/null
try "-letter_box is --letterbox" "${detect[@]}" --conf .001 -letter_box "$work/wide" --format json -q
status 0
holds [ "$(sed 's/,"ms":.*//' "$work/boxed.json")" != "$(sed 's/,"ms":.*//' "$work/stretched.json")" ]
holds same "$work/boxed.json" "$work/out"
try "-save_labels is --format yolo" "$YOLO" detector test "${model[@]}" "${pictures[0]}" -save_labels --no-save --out "$work/labels"
status 0
holds [ -s "$work/labels/labels/000000.txt" ]
try "but not beside -out FILE" "$YOLO" detector test "${model[@]}" "${pictures[0]}" -save_labels -out "$work/two.json"
status 2
one_error 'a run has one format'

# ---- the other jobs ----

"$YOLO" eval "${model[0]}" --cfg "${model[1]}" --weights "${model[2]}" --points 0 --iou-thresh .75 --format json -q \
    >"$work/want_map.json" 2>/dev/null
try "detector map -out FILE, counted as Darknet does" "$YOLO" detector map "${model[@]}" -iou_thresh .75 -out "$work/map.json" -q
status 0
out_empty
holds [ -s "$work/want_map.json" ]
holds cmp "$work/want_map.json" "$work/map.json"
try "detector recall" "$YOLO" detector recall "${model[@]}" -q
status 0
out '^AR100 '
"$YOLO" anchors --data data/tabletop/tabletop.data --num 5 --imgsz 320x416 >"$work/want.anchors" 2>/dev/null
try "detector calc_anchors" "$YOLO" detector calc_anchors data/tabletop/tabletop.data -num_of_clusters 5 -width 320 -height 416 -show
status 0
holds cmp "$work/want.anchors" "$work/out"
try "with one side only" "$YOLO" detector calc_anchors data/tabletop/tabletop.data -width 416
status 2
one_error '-width alone: -width and -height go together'
try "detector demo" "$YOLO" detector demo "${model[@]}" film.mp4
status 2
one_error 'detector: demo \(no video is read here'
try "an unknown job" "$YOLO" detector draw
status 2
one_error 'detector: draw \(test, map, valid, recall, train, calc_anchors'

cd "$work" || exit 1
# shellcheck source=tests/cli/lib_train.sh
. "$root/tests/cli/lib_train.sh"
try "detector train with all of Darknet's words" "$YOLO" detector train set/synth.data tiny.cfg -clear 1 -gpus 0,1 -i 0 -map -dont_show \
    -mjpeg_port 8090 -mAP_epochs 2 -thresh .3 -iou_thresh .5 -show_imgs -letter_box -chart c.png -benchmark_layers --iters 2 --out run
status 0
err '^-gpus: .*everything runs on the CPU'
err '^-mAP_epochs: .*--val-every N'
err '^-show_imgs: .*--show-batch'
err '^-letter_box: .*letter_box=1 in the cfg'
holds [ -s run/last.weights ]
finish
