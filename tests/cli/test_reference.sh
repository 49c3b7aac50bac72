#!/usr/bin/env bash
# Real networks against what Darknet itself finds: every network and photo that lie in ../shared (or
# $YOLO_SHARED). Each box of confidence >= .25 on either side must have a partner of the same class on
# the other, with IoU >= .97 and a confidence within .015. $YOLO_FLAGS: further options, e.g. "--cpu avx2".
set -u
cd "$(dirname "$0")/../.." || exit 1
yolo=${YOLO:-./yolo}
shared=${YOLO_SHARED:-../shared}
passed=0 failed=0 skipped=0

total() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
    exit
}

if [ ! -d "$shared/reference/darknet-detections" ] || [ ! -d "$shared/data/photos" ]; then
    echo "SKIP reference detections: no reference data in $shared (set YOLO_SHARED)"
    skipped=1
    total
fi
if ! command -v python3 >/dev/null; then
    echo "SKIP reference detections: python3 is not installed"
    skipped=1
    total
fi

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

check() { # REFERENCE CFG WEIGHTS
    local name
    name=$(basename "$1" .json)
    # shellcheck disable=SC2086 # several options
    if ! "$yolo" detect "$shared"/data/photos/*.jpg --cfg "$2" --weights "$3" --format jsonl --conf 0.1 \
        --no-save -q ${YOLO_FLAGS:-} >"$scratch/found" 2>"$scratch/messages" </dev/null; then
        echo "FAIL $name: yolo detect failed: $(tail -n 1 "$scratch/messages")"
        failed=$((failed + 1))
    elif python3 tests/tools/compare_detections.py "$1" "$scratch/found"; then
        echo "ok   $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name"
        failed=$((failed + 1))
    fi
}

for reference in "$shared"/reference/darknet-detections/*.json; do
    stem=$(basename "$reference" .json)
    plain=${stem%-1.0} # the suffix tells apart networks that share a name
    found=
    for cfg in "$shared"/weights/*/"$stem".cfg "$shared"/weights/*/"$plain".cfg; do
        for weights in "${cfg%.cfg}".weights "${cfg%.cfg}"_[0-9]*.weights; do
            if [ -z "$found" ] && [ -f "$cfg" ] && [ -f "$weights" ]; then
                found=1
                check "$reference" "$cfg" "$weights"
            fi
        done
    done
    if [ -z "$found" ]; then
        echo "SKIP $stem: no network of that name in $shared/weights"
        skipped=$((skipped + 1))
    fi
done
total
