#!/usr/bin/env bash
# yolo eval against pycocotools: the twelve numbers of saved detections and of a network's own. Needs pycocotools.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
python=${PYTHON:-python3}
numbers=$root/tests/tools/coco_numbers.py

agrees() { # TRUTH FOUND: what eval last wrote to $work/out, against pycocotools' numbers
    holds "$python" "$numbers" numbers "$1" "$2" >"$work/wanted"
    holds test "$(wc -l <"$work/wanted")" -eq 12
    while read -r key value; do
        json "v[\"$key\"] != \"\" && (v[\"$key\"] - $value) ^ 2 <= 1e-12"
    done <"$work/wanted"
}

# ---- the bundled set and model; a file that yolo convert wrote ----
tabletop=$root/data/tabletop
try "yolo convert: a file that pycocotools reads" "$YOLO" convert "$tabletop/val.txt" --names "$tabletop/tabletop.names" \
    --out "$work/tabletop.json"
status 0
bundled=(--cfg "$root/cfg/tabletop.cfg" --weights "$root/weights/tabletop.weights")
"$YOLO" detect "$tabletop/images/val" "${bundled[@]}" --conf .005 --max-det 0 --no-save -q --format coco \
    --annotations "$work/tabletop.json" >"$work/tabletop_found.json"
try "bundled model, detections saved" "$YOLO" eval "$work/tabletop.json" --results "$work/tabletop_found.json" --format json
status 0
agrees "$work/tabletop.json" "$work/tabletop_found.json"
try "bundled model, straight from the network" "$YOLO" eval "$work/tabletop.json" --images "$tabletop/images/val" \
    "${bundled[@]}" --format json
status 0
agrees "$work/tabletop.json" "$work/tabletop_found.json"

# ---- a published network on photos ----
nets=$SHARED/weights/yolo-fastest-1.1-coco
photos=$SHARED/data/coco128
if [ -d "$photos" ] && [ -d "$nets" ]; then
    xl=(--cfg "$nets/yolo-fastest-1.1-xl.cfg" --weights "$nets/yolo-fastest-1.1-xl.weights" --names "$nets/coco.names")
    "$python" "$numbers" truth "$photos" "$nets/coco.names" >"$work/coco.json"
    "$YOLO" detect "$photos/images" "${xl[@]}" --conf .005 --max-det 0 --no-save -q --format coco \
        --annotations "$work/coco.json" >"$work/coco_found.json"
    try "yolo-fastest-1.1-xl on coco128, detections saved" "$YOLO" eval "$work/coco.json" \
        --results "$work/coco_found.json" --format json
    status 0
    agrees "$work/coco.json" "$work/coco_found.json"
    try "straight from the network; Darknet's mAP, 39.44 %" "$YOLO" eval "$work/coco.json" \
        --images "$photos/images" "${xl[@]}" --points 101 --format json
    status 0
    json 'v["images"] == 128 && (v["mAP50"] - .3944) ^ 2 <= .003 ^ 2'
    agrees "$work/coco.json" "$work/coco_found.json"
else
    skip "yolo-fastest-1.1-xl on coco128" "no shared data (set YOLO_SHARED)"
fi
finish
