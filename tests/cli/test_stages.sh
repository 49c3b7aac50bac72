#!/usr/bin/env bash
# yolo train in stages: what each freezes, what it says, kill and resume across a border, plans that cannot be.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$root/tests/cli/lib_train.sh"

base=(--data set/synth.data --cfg tiny.cfg --seed 3)

"$YOLO" train "${base[@]}" --iters 20 --out start -q >/dev/null 2>&1
plan=(--stage "freeze=0-2 iters=24 lr=1e-3 warmup=4" --stage "freeze=0-0 bn=eval iters=24 lr=5e-4"
    --stage "freeze=none bn=frozen iters=12 lr=1e-4 augment=off lr-scale=0-1=0.1,heads=2")
staged=("${base[@]}" --weights start/last.weights --val-every 10 --checkpoint-every 5 --ema .99)

moved() { # A B: layers whose tensors differ, statistics apart: "0 1 2+s" (+s: statistics moved, too)
    "$YOLO" diff "$1" "$2" --cfg tiny.cfg --format json >diff.json 2>/dev/null
    "$helpers/flat" diff.json | awk '
    { at = index($0, "="); v[substr($0, 1, at - 1)] = substr($0, at + 1) }
    END {
        for (i = 0; (p = "tensors[" i "]") ".layer" in v; i++) {
            layer = v[p ".layer"] + 0
            if (layer > last) { last = layer }
            if (v[p ".bytes_changed"] + 0 && v[p ".tensor"] ~ /rolling/) { statistics[layer] }
            if (v[p ".bytes_changed"] + 0 && v[p ".tensor"] !~ /rolling/) { values[layer] }
        }
        for (layer = 0; layer <= last; layer++) {
            if (layer in values || layer in statistics) {
                printf "%s%d%s", blank, layer, layer in statistics ? "+s" : ""
                blank = " "
            }
        }
        print ""
    }'
}

# ---- a plan ----

try "three stages, dry" "$YOLO" train "${staged[@]}" "${plan[@]}" --dry-run
status 0
out '^-- stage 2 of 3: freeze=0 bn=eval lr=0.0005 '
out '^stage 3 +[0-9]+ ms an update'
out '^freezing +saves'
try "three stages" "$YOLO" train "${staged[@]}" "${plan[@]}" --out whole
status 0
err '^stage 1 of 3: freeze=0-2 \(backbone\) bn=auto lr=0.001 '
err '^ +0-2 +frozen, runs as inference +0 '
err '^unfrozen: layers 1-2, [0-9,]+ values; their momentum starts at zero'
err '^ +1-3 +trained, stored statistics'
err '^frozen: 3 layers, [0-9,]+ values, 0 bytes changed'
holds [ "$(cut -d, -f3 whole/results.csv | uniq | tr '\n' ' ')" = "stage 1 2 3 " ]
holds grep -q '^iteration.*,frozen_values,frozen_bytes_changed,' whole/results.csv
proof=$(awk -F, '
    NR == 1 { for (i = 1; i <= NF; i++) { column[$i] = i } }
    NR > 1 && $column["frozen_bytes_changed"] != "" {
        stages += !($column["stage"] in stage)
        counts += !($column["frozen_values"] in count)
        stage[$column["stage"]]
        count[$column["frozen_values"]]
        bad += $column["frozen_bytes_changed"] != 0 || $column["frozen_values"] <= 0
    }
    END { print stages + 0, counts + 0, bad + 0 }' whole/results.csv)
holds [ "$proof" = "3 3 0" ] # results.csv proves of each stage that frozen values keep
try "what each stage moves" "$YOLO" train "${staged[@]}" --stage "freeze=0-2 iters=5" --out first -q --ema 0
status 0
holds [ "$(moved start/last.weights first/last.weights)" = "3" ]
try "bn=eval keeps statistics" "$YOLO" train "${staged[@]}" --stage "freeze=0-0 bn=eval iters=5" --out second -q --ema 0
status 0
holds [ "$(moved start/last.weights second/last.weights)" = "1 2 3" ]
try "bn=train moves frozen statistics, and says so" "$YOLO" train "${staged[@]}" --ema 0 \
    --stage "freeze=0-1 bn=train iters=5" --out legacy
status 0
err 'bn train: the stored statistics of frozen batch norms move'
holds [ "$(moved start/last.weights legacy/last.weights | tr -d ' ')" = "0+s1+s2+s3" ]
try "the same from a file" true
cat >plan.json <<'JSON'
[{"freeze": "0-2", "iters": 24, "lr": 0.001, "warmup": 4},
 {"freeze": "0-0", "bn": "eval", "iters": 24, "lr": 5e-4},
 {"freeze": "none", "bn": "frozen", "iters": 12, "lr": 1e-4, "augment": false, "lr-scale": "0-1=0.1,heads=2"}]
JSON
try "the same from a file" "$YOLO" train "${staged[@]}" --stages plan.json --out file -q
status 0
holds cmp whole/last.weights file/last.weights

# ---- kill and resume ----

for round in 1 2 3 4; do
    try "kill -9 and resume, round $round" true
    "$YOLO" train "${staged[@]}" "${plan[@]}" --out "killed$round" -q >/dev/null 2>&1 &
    for _ in $(seq 1200); do
        [ -e "killed$round/last.state" ] && break
        sleep 0.02
    done
    for delay in 0.$((RANDOM % 5)) 0.$((RANDOM % 5)); do
        sleep "$delay"
        kill -KILL $! 2>/dev/null
        wait $! 2>/dev/null
        "$YOLO" train --resume "killed$round" -q >/dev/null 2>"$work/err" &
    done
    wait $!
    holds cmp whole/last.weights "killed$round/last.weights"
    holds cmp whole/best.weights "killed$round/best.weights"
done
try "stages that have not begun may change" true
"$YOLO" train "${staged[@]}" "${plan[@]}" --out changed -q >/dev/null 2>&1
try "a finished run gets a fourth stage" "$YOLO" train --resume changed "${plan[@]}" --stage "iters=6 lr=1e-5"
status 0
err '^stage 4 of 4: freeze=none bn=auto lr=1e-05'
try "and a fifth" "$YOLO" train --resume changed "${plan[@]}" --stage "iters=6 lr=1e-5" --stage "freeze=0-0 iters=3 lr=1e-6" -q
status 0
try "which it remembers" "$YOLO" train --resume changed
status 0
holds [ "$(tail -n 1 changed/results.csv | cut -d, -f1,3)" = "69,5" ]
try "a changed past stage" "$YOLO" train --resume changed --stage "freeze=0-1 iters=24 lr=1e-3" \
    --stage "freeze=0-0 bn=eval iters=24 lr=5e-4"
status 2
one_error 'stage 1 has begun and was freeze=0-2 .*only stages that have not begun may change'
try "a plan that is too short" "$YOLO" train --resume changed "${plan[0]}" "${plan[1]}"
status 2
one_error 'stage 2 has begun'

# ---- shorthands and the cfg ----

try "gradual unfreezing" "$YOLO" train "${base[@]}" --weights start/last.weights --unfreeze-every 1 --from heads \
    --epochs 6 --out gradual
status 0
err '^stage 1 of 4: freeze=0-2 \(backbone\) '
err '^stage 2 of 4: freeze=0-1 '
err '^stage 4 of 4: freeze=none '
holds [ "$(cut -d, -f3 gradual/results.csv | tail -n 1)" = 4 ]
sed '0,/\[convolutional\]/s//[convolutional]\nstopbackward=7/' tiny.cfg >timed.cfg
try "stopbackward=7: frozen for seven updates" "$YOLO" train --data set/synth.data --cfg timed.cfg --weights start/last.weights \
    --iters 12 --seed 3 --out timed
status 0
err '^stage 1 of 2: freeze=0 .* 7 updates'
err '^unfrozen: layers 0,'
err '^stage 2 of 2: freeze=none .* 5 updates'
try "the schedule runs through" true
sed '0,/\[convolutional\]/s//[convolutional]\nstopbackward=7/' tiny.cfg >timed.cfg
holds [ "$(tail -n 1 timed/results.csv | cut -d, -f4)" = "$(
    "$YOLO" train "${base[@]}" --weights start/last.weights --iters 12 --out plain -q >/dev/null 2>&1
    tail -n 1 plain/results.csv | cut -d, -f4
)" ]

# The averages that were validated, also of what keeps still in the next stage. That one spoils everything.
try "the best at the end of a stage" "$YOLO" train "${base[@]}" --ema .98 --no-augment --val-every 1000 -q --out both \
    --stage "freeze=none iters=150 lr=.02 warmup=0" --stage "freeze=none bn=eval iters=3 lr=.5 warmup=0"
"$YOLO" train "${base[@]}" --ema .98 --no-augment --val-every 1000 -q --out alone \
    --stage "freeze=none iters=150 lr=.02 warmup=0" >/dev/null 2>&1
holds cmp alone/best.weights both/best.weights

# ---- plans that cannot be ----

refuse "an unknown key" 'stage 1: unknown key epoch=3 \(did you mean epochs=' --stage "epoch=3"
refuse "no key" 'stage 2: backbone is no key=value' --stage "iters=3" --stage "backbone"
refuse "a bad value" 'stage 1: --lr fast: is not a number' --stage "iters=3 lr=fast"
refuse "no length" 'stage 1: no length: how long' --stage "freeze=0-1"
refuse "two lengths" 'stage 1: epochs and iters: how long' --stage "epochs=3 iters=4"
refuse "a range past the end" 'stage 2: --freeze 0-9: there is no layer 9' --stage "iters=3" --stage "freeze=0-9 iters=3"
refuse "an unknown set" 'stage 1: --freeze backbon: there is no set backbon, did you mean backbone' --stage "freeze=backbon iters=3"
refuse "everything frozen" 'stage 2: everything is frozen' --stage "iters=3" --stage "freeze=0-4 iters=3"
refuse "nothing new" 'stage 2: unfreezes nothing new' --stage "freeze=0-1 iters=3" --stage "freeze=0-1 iters=5"
refuse "overlap" 'stage 2: iters=3-9: stages overlap \(stage 1 goes to 5: begin at 6\)' \
    --stage "freeze=0-1 iters=1-5" --stage "iters=3-9"
refuse "gap" 'stage 2: epochs=4-9: a gap between stages' --stage "freeze=0-1 epochs=1-2" --stage "epochs=4-9"
refuse "a length beside" '--epochs beside --stage' --epochs 3 --stage "iters=3"
refuse "two plans" '--stage and --stages' --stage "iters=3" --stages plan.json
refuse "a missing plan" 'none.json' --stages none.json
echo '[{"freeze": "0-1", "epochs": 3},' >broken.json
refuse "a broken plan" 'broken.json:2: not valid JSON' --stages broken.json
echo '[{"freeze": ["0-1"]}]' >odd.json
refuse "an odd plan" 'odd.json: stage 1: freeze: must be a word' --stages odd.json
refuse "a bad factor" '--lr-scale 0-1=fast: must be layers=factor' --lr-scale 0-1=fast
refuse "a factor of 0" '--lr-scale 2-3=.1,0-1=0: a factor of 0 trains nothing \(--freeze 0-1 ' --lr-scale 2-3=.1,0-1=0
refuse "a factor that becomes 0" 'stage 1: --lr-scale 0-1=1e-60: a factor of 0 trains nothing' --stage "iters=3 lr-scale=0-1=1e-60"
refuse "a factor for no layer" '--lr-scale 0-9: there is no layer 9' --lr-scale 0-9=2
refuse "a factor for frozen layers" '--lr-scale 0-1=.1: none of these layers is trained' --freeze 0-1 --lr-scale 0-1=.1
refuse "a factor for frozen layers in a stage" 'stage 2: lr-scale=0-0=.1: none of these layers is trained' \
    --stage "freeze=0-1 iters=3" --stage "freeze=0-0 iters=3 lr-scale=0-0=.1"
refuse "a factor for layers without weights" '--lr-scale 4-4=.1: none of these layers is trained' --lr-scale 4-4=.1
try "a factor for layers that join later" "$YOLO" train "${base[@]}" --weights start/last.weights --lr-scale 0-1=.1 \
    --stage "freeze=0-1 iters=2" --stage "freeze=none iters=2" --out joined
status 0
refuse "a key given twice" 'stage 1: iters=5: iters was given before' --stage "iters=3 freeze=0-1 iters=5"
refuse "by two of its names" 'stage 1: learning_rate=.1: learning_rate was given before' \
    --stage "iters=3 lr=.01 learning_rate=.1"
echo '[{"freeze": "0-1", "epochs": 3, "freeze": "none"}]' >twice.json
refuse "a key given twice in a file" 'stage 1: freeze=none: freeze was given before' --stages twice.json
refuse "gradual without a beginning" 'takes both' --unfreeze-every 2
refuse "gradual and too short" '3 parts join' --unfreeze-every 2 --from heads --epochs 6
try "stopbackward and stages" "$YOLO" train --data set/synth.data --cfg timed.cfg --out refused --stage "iters=3"
status 2
one_error 'timed.cfg:17: stopbackward=N and --stage both plan the run'
finish
