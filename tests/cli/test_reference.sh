#!/usr/bin/env bash
# Real networks against what Darknet itself finds: every network and photo that lie in ../shared (or
# $YOLO_SHARED). Each box of confidence >= .25 on either side must have a partner of the same class on
# the other, with IoU >= .97 and a confidence within .015. $YOLO_FLAGS: further options, e.g. "--cpu avx2".
set -u -o pipefail
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
helpers=$(dirname "$yolo")/tests/helpers
[ -d "$helpers" ] || helpers=build/release/tests/helpers
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# "PICTURE CLASS CONFIDENCE X1 Y1 X2 Y2" of what Darknet's -out or our --format jsonl holds, fractions of the picture,
# cut to it; "PICTURE" alone of every picture.
boxes_of() { # FILE [FLAG OF FLAT]
    # shellcheck disable=SC2086 # the flag may be absent
    "$helpers/flat" ${2:-} "$1" | LC_ALL=C awk '
    function clip(x) { return x < 0 ? 0 : x > 1 ? 1 : x }
    function finish_box() {
        if (!open) { return }
        open = 0
        if ("center_x" in v) {
            x1 = v["center_x"] - v["width"] / 2; x2 = v["center_x"] + v["width"] / 2
            y1 = v["center_y"] - v["height"] / 2; y2 = v["center_y"] + v["height"] / 2
        } else {
            x1 = v["x1"] / width; x2 = v["x2"] / width; y1 = v["y1"] / height; y2 = v["y2"] / height
        }
        printf "%s %d %.9g %.9g %.9g %.9g %.9g\n", picture, v["class_id"], v["confidence"], clip(x1), clip(y1), clip(x2), clip(y2)
    }
    {
        at = index($0, "=")
        path = substr($0, 1, at - 1)
        value = substr($0, at + 1)
        gsub(/"/, "", value)
        key = path
        sub(/.*\./, "", key)
    }
    path ~ /\.objects\[/ {
        object = path
        sub(/\.[^[]*$/, "", object) # of "[3].objects[2].box.x1" and the like what names the object
        sub(/\.(box|relative_coordinates)$/, "", object)
        if (object != last) { finish_box(); split("", v); last = object; open = 1 }
        v[key] = value
        next
    }
    { finish_box() }
    key == "filename" || key == "image" { picture = value; sub(/.*\//, "", picture); print picture }
    path ~ /^\[[0-9]+\]\.width$/ { width = value }
    path ~ /^\[[0-9]+\]\.height$/ { height = value }
    END { finish_box() }'
}

# Every box of confidence >= .25 on either side has its partner on the other; prints those that have not.
partners() { # THEIRS OURS
    LC_ALL=C awk '
    function iou(a, b,    w, h) {
        w = (x2[a] < x2[b] ? x2[a] : x2[b]) - (x1[a] > x1[b] ? x1[a] : x1[b])
        h = (y2[a] < y2[b] ? y2[a] : y2[b]) - (y1[a] > y1[b] ? y1[a] : y1[b])
        if (!(w > 0 && h > 0)) { return 0 }
        return w * h / ((x2[a] - x1[a]) * (y2[a] - y1[a]) + (x2[b] - x1[b]) * (y2[b] - y1[b]) - w * h)
    }
    { side = FILENAME == ARGV[1] ? 1 : 2 }
    NF == 1 { seen[side, $1]; pictures[$1]; next }
    { n++; of[n] = side; what[n] = $1 " class " $2; sure[n] = $3; x1[n] = $4; y1[n] = $5; x2[n] = $6; y2[n] = $7 }
    END {
        for (p in pictures) {
            if (!((1, p) in seen) || !((2, p) in seen)) { print "  on one side only: " p; bad = 1 }
        }
        for (a = 1; a <= n; a++) {
            if (sure[a] < .25) { continue }
            best = has = 0
            for (b = 1; b <= n; b++) {
                if (of[a] == of[b] || what[a] != what[b]) { continue }
                overlap = iou(a, b)
                gap = sure[a] - sure[b]
                if (overlap > best) { best = overlap; nearest = sure[b] }
                if (overlap >= .97 && gap <= .015 && gap >= -.015) { has = 1; break }
            }
            if (!has) {
                bad = 1
                printf "  only %s: %s confidence %.4f box %.4f %.4f %.4f %.4f; nearest: IoU %.4f confidence %.4f\n", \
                    (of[a] == 1 ? "darknet" : "ours"), what[a], sure[a], x1[a], y1[a], x2[a], y2[a], best, nearest
            }
        }
        for (p in pictures) { some = 1 }
        exit bad || !some
    }' "$1" "$2"
}

check() { # REFERENCE CFG WEIGHTS
    local name
    name=$(basename "$1" .json)
    # shellcheck disable=SC2086 # several options
    if ! "$yolo" detect "$shared"/data/photos/*.jpg --cfg "$2" --weights "$3" --format jsonl --conf 0.1 \
        --no-save -q ${YOLO_FLAGS:-} >"$scratch/found" 2>"$scratch/messages" </dev/null; then
        echo "FAIL $name: yolo detect failed: $(tail -n 1 "$scratch/messages")"
        failed=$((failed + 1))
    elif boxes_of "$1" >"$scratch/theirs" && boxes_of "$scratch/found" -l >"$scratch/ours" &&
        partners "$scratch/theirs" "$scratch/ours"; then
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
