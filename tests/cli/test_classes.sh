#!/usr/bin/env bash
# Classes that change: rows of the same name are kept (yolo train --weights W, --weights-names FILE).
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$root/tests/cli/lib_train.sh"

# A network that knows the five base shapes, in a run's folder, and the same bytes elsewhere.
prepare "$YOLO" train --data set/synth.data --cfg tiny.cfg --recipe darknet --iters 2 --out old -q
prepare cp old/last.weights alone.weights
# Four classes: two of the five in another order, one that differs by a capital, a new one.
mkdir four && cp -r set/images set/train.txt set/val.txt four/ && cp -r set/labels four/labels
find four/labels -name '*.txt' -exec sed -i '/^4/d' {} +
printf 'cone\nmug\n  cube \nSphere\n' >four/four.names
printf 'classes=4\ntrain=train.txt\nvalid=val.txt\nnames=four.names\n' >four/four.data
sed 's/^filters=20/filters=18/; s/^classes=5/classes=4/' tiny.cfg >four.cfg
base=(--data four/four.data --cfg four.cfg --recipe darknet --iters 2 -q)
plan() { # NAME FLAGS...
    try "$1" "$YOLO" train --data four/four.data --cfg four.cfg --recipe darknet --iters 2 --dry-run "${@:2}"
}

plan "the run's own list says which rows are kept" --weights old/last.weights -v
status 0
out '^start +old/last.weights, trained for 5 classes \(old/.*\.names\)$'
out '^  taken +layers 0-2 .*: [0-9]+ values$'
out '^  partly +layers 3: 182 values$' # (2 anchors) x (5 + 2 classes) x (12 weights + 1 bias)
out '^kept +box and objectness rows; rows of 2 of 4 classes, by name: cone, cube$'
out '^anew +rows of mug, Sphere$'
err 'class Sphere is not sphere of old/.*names: names match letter by letter'
err '^class 0 cone: the rows of class 3 of old/last.weights$'
err '^class 1 mug: random rows$'

plan "without a list nothing is guessed, and that is said" --weights alone.weights
status 0
out 'alone.weights, trained for 5 classes: all but the layers above the heads'
out '^kept +no rows of classes: the names of those of the weights are not known \(--weights-names FILE\)$'
out '^  anew +layers 3:'

prepare cp set/synth.names alone.names
plan "STEM.names beside the weights is their list" --weights alone.weights
out '^kept .*: cone, cube$'
prepare mv alone.names list.txt
plan "--weights-names names it" --weights alone.weights --weights-names list.txt
out '^start .*\(list.txt\)$'
out '^kept .*: cone, cube$'

try "as many classes in another order keep their rows, too" \
    "$YOLO" train --data set/synth.data --cfg tiny.cfg --names four5.names --weights old/last.weights --dry-run
status 2 # the list is not there
printf 'torus\ncone\ncylinder\ncube\nsphere\n' >four5.names
try "as many classes in another order keep their rows, too" \
    "$YOLO" train --data set/synth.data --cfg tiny.cfg --names four5.names --weights old/last.weights --recipe darknet --dry-run
status 0
out '^kept .*rows of 5 of 5 classes, by name: torus, cone, cylinder, cube, sphere$'

try "the rows are those of the file" "$YOLO" train --data four/four.data --cfg four.cfg --recipe darknet --iters 1 \
    --lr 1e-30 --decay 0 --weights alone.weights --weights-names list.txt --out kept -q
holds [ -e kept/last.weights ]
json 'v["weights-names"] ~ /\/list.txt$/' kept/args.json
# Behind 20 bytes of header the file ends with the 20 (18) biases and rows of 12 weights of the last layer.
values() { # FILE FIRST COUNT: floats from the end
    tail -c $((4 * ($2))) "$1" | head -c $((4 * ($3))) | od -An -v -tx4 -w4
}
rows() { # FILE FILTERS ROW: bias, then weights
    values "$1" "$(($2 * 13 - $3))" 1
    values "$1" "$(($2 * 12 - $3 * 12))" 12
}
# box and objectness of both anchors, then cone (class 3 there, 0 here) and cube (1, 2)
for pair in 0:0 4:4 9:10 13:14 5:8 7:6 14:18 16:16; do
    holds [ "$(rows kept/last.weights 18 ${pair%:*})" = "$(rows alone.weights 20 ${pair#*:})" ]
done
holds [ "$(rows kept/last.weights 18 6)" != "$(rows alone.weights 20 5)" ] # mug

refuse "a list of another number of names" 'four.names: 4 names, but the weights were trained for 5 classes' \
    --weights alone.weights --weights-names four/four.names
refuse "a list that is not there" 'weights-names nix' --weights alone.weights --weights-names nix
refuse "a list without weights" 'no weights' --weights-names list.txt --weights none
prepare "$YOLO" partial --cfg tiny.cfg --weights alone.weights --layers 2 --out cut.weights
refuse "a list for a file that ends before the heads" 'has no rows of classes' --weights cut.weights --weights-names list.txt
finish
