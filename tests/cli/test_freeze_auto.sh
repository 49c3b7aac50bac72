#!/usr/bin/env bash
# yolo train --freeze auto: a plan with its reason, which is what runs; the same for the same seed, and kept by --resume.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$root/tests/cli/lib_train.sh"

"$YOLO" train --data set/synth.data --cfg tiny.cfg --seed 3 --iters 30 --out start -q >/dev/null 2>&1
from=(--data set/synth.data --cfg tiny.cfg --seed 3 --val-every 24)
base=("${from[@]}" --weights start/last.weights)
member() { # FOLDER NAME
    "$helpers/flat" "$1/args.json" | sed -n "s/^$2=//p"
}

try "the plan, and why" "$YOLO" train "${base[@]}" --iters 12 --freeze auto --out one --threads 2
status 0
found='^freezing +auto: (freeze nothing|the backbone first, then nothing); after 30 trial updates the loss is [0-9.]+ with the backbone frozen and [0-9.]+ with all layers free: '
err "$found"
holds grep -qE '"plan":.*"auto: ' one/args.json
free=$(member one freeze_auto.loss_free) frozen=$(member one freeze_auto.loss_frozen)
holds awk -v a="$free" -v b="$frozen" 'BEGIN { exit !(a > 0 && b > 0 && a != b) }'
ahead=$(awk -v a="$free" -v b="$frozen" 'BEGIN { print (b < .97 * a) }')
if [ "$ahead" = 1 ]; then
    words=(--stage "freeze=backbone policy=constant iters=2" --stage "freeze=none iters=$(tail -n 1 one/results.csv | awk -F, '{ print $1 - 2 }')")
else
    words=(--iters 12 --freeze none)
fi
try "the same for the same seed, on one thread" "$YOLO" train "${base[@]}" --iters 12 --freeze auto --out two --threads 1
status 0
holds test "$(member two freeze_auto.loss_free)" = "$free"
holds test "$(member two freeze_auto.loss_frozen)" = "$frozen"
holds cmp one/last.weights two/last.weights
try "the plan in words gives the same bytes: the trial has left nothing behind" "$YOLO" train "${base[@]}" "${words[@]}" --out words
status 0
no_err '^freezing'
holds cmp one/last.weights words/last.weights

# args.json has the plan, not the word: a run begun anew from it, cut and resumed, tries nothing again.
rm -rf cut && cp -r one cut && rm cut/*.weights cut/last.state cut/results.csv
try "cut by the clock" "$YOLO" train --resume cut --time .00001
status 0
no_err '^freezing'
try "resumed to the end" "$YOLO" train --resume cut --time 1h
status 0
holds cmp one/last.weights cut/last.weights

try "the dry run says it, too" "$YOLO" train "${base[@]}" --iters 12 --freeze auto --dry-run
status 0
out "$found"
try "from random numbers" "$YOLO" train "${from[@]}" --iters 12 --freeze auto --dry-run
status 0
out '^freezing +auto: freeze nothing; from random numbers there is nothing to keep$'
no_err 'updates with the backbone frozen'
try "the recipe's length pays for the trial" "$YOLO" train "${base[@]}" --recipe auto --freeze auto --dry-run
status 0
out "$found"
if [ "$ahead" = 0 ]; then
    out '^  --iters [0-9]+ +given .*the recipe.s length less [0-9]+ that the trial of --freeze auto took$'
fi
try "too little time for all layers" "$YOLO" train "${base[@]}" --freeze auto --time 1m --batch 16384 --subdivisions 64 --dry-run
out '^freezing +auto: the backbone throughout, from kept features; only [0-9]+ updates of all layers fit into --time; from kept features many more$'
no_err 'updates with the backbone frozen'

refuse() { # NAME REGEX FLAGS...
    try "$1" "$YOLO" train "${base[@]}" --freeze auto --out refused "${@:3}"
    status 2
    one_error "$2"
    holds test ! -e refused
}
refuse "beside --stage" '--freeze auto makes the stages itself: it does not go with --stage' --stage "freeze=none iters=3"
refuse "beside --unfreeze-every" '--unfreeze-every makes the stages itself: it does not go with --freeze' --unfreeze-every 1 --from heads
refuse "with statistics that move" '--freeze auto keeps what is frozen as it is: it does not go with --bn train' --bn train --iters 3
try "in a stage" "$YOLO" train "${base[@]}" --stage "freeze=auto iters=3" --out refused
status 2
one_error 'auto'
try "yolo init hands it on" "$YOLO" init --names set/synth.names --data-dir set --base "$root/cfg/tabletop.cfg" \
    --weights "$root/weights/tabletop.weights" --freeze auto --out made
status 0
out '^  yolo train .* --weights .* --freeze auto$'
holds test ! -e made/stages.json
finish
