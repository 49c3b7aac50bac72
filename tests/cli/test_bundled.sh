#!/usr/bin/env bash
# The model that comes with the program: what it says of itself, finds, and does not find. Its pictures are rendered
# here, from seeds that it was not trained on (weights/README.md).
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

note='note: the bundled model knows 5 rendered shapes only \(sphere, .*torus\); scripts/get-weights\.sh yolov4-tiny brings'
picture=data/tabletop/images/val/000001.jpg
try "detect says what the bundled model knows" "$YOLO" detect $picture --model tabletop --no-save
status 0; err "$note"; no_out 'note:'
holds test "$(grep -c 'get-weights' "$work/err")" = 1
try "also where it is named by its file" "$YOLO" detect $picture --weights ./weights/tabletop.weights --no-save
status 0; err "$note"
try "but not with -q" "$YOLO" detect $picture --model tabletop --no-save -q
status 0; no_err 'note:'
cp weights/tabletop.weights "$work/mine.weights"
try "nor of other weights" "$YOLO" detect $picture --cfg cfg/tabletop.cfg --weights "$work/mine.weights" --no-save
status 0; no_err 'note:'
finish
