#!/usr/bin/env bash
# What freezing promises of detectors (docs/freezing.md) holds of a classifier, an autoencoder and a dense network with
# dropout: bytes, statistics, kept features, equal bits on any number of threads, after kills and resumed. And dropout
# acts in training only.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_values.sh
. "$root/tests/cli/lib_values.sh"

# Layers 0 and 1 are a trunk, with batch norm; what stands behind drops and has batch norm, too.
head -n "$(($(grep -n '^\[convolutional\]' net.cfg | head -n 1 | cut -d: -f1) - 1))" net.cfg >head.cfg
trunk=$'[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\nstride=2\npad=1\nactivation=leaky
[convolutional]\nbatch_normalize=1\nfilters=6\nsize=3\npad=1\nactivation=mish'
drop=$'[dropout]\nprobability=.3'
{
    cat head.cfg
    echo "$trunk"
    echo "$drop"
    printf '[connected]\nbatch_normalize=1\noutput=8\nactivation=leaky\n%s\n[connected]\noutput=2\nactivation=linear\n[softmax]\n' "$drop"
} >class.cfg
{
    cat head.cfg
    echo "$trunk"
    echo "$drop"
    printf '[deconvolutional]\nbatch_normalize=1\nfilters=4\nsize=2\nstride=2\nactivation=leaky
[convolutional]\nfilters=1\nsize=3\npad=1\nactivation=logistic\n[cost]\ntype=sse\n'
} >auto.cfg
mv dense.cfg plain.cfg
{
    sed '/^\[connected\]/,$d' plain.cfg
    for units in 12 10; do
        printf '[connected]\nbatch_normalize=1\noutput=%s\nactivation=leaky\n' $units
    done
    printf '%s\n[connected]\nbatch_normalize=1\noutput=8\nactivation=leaky\n%s\n[connected]\noutput=1\nactivation=linear\n[cost]\n' "$drop" "$drop"
} >dense.cfg
printf 'train = train.csv\nvalid = val.csv\n' >table.data

data_of() { # class | auto | dense
    [ "$1" = dense ] && echo table.data || echo set
}

# How many values differ, of the statistics or of everything else, in layers FIRST to LAST.
moved() { # A B CFG statistics|values FIRST LAST
    "$YOLO" diff "$1" "$2" --cfg "$3" --format json >"$work/diff.json" && "$helpers/flat" "$work/diff.json" >"$work/diff.flat"
    awk -F= -v what="$4" -v first="$5" -v last="$6" '
        { path = $1; sub(/\.[^.]*$/, "", path) }
        $1 ~ /layer$/ { layer[path] = $2 }
        $1 ~ /(tensor|role)$/ { is_statistic[path] = $2 ~ /mean|variance/ }
        $1 ~ /(differ|changed|different)$/ { n[path] = $2 }
        END { for (p in layer) {
            if (layer[p] >= first && layer[p] <= last && is_statistic[p] == (what == "statistics")) { sum += n[p] }
        } print sum + 0 }' "$work/diff.flat"
}

for net in class auto dense; do
    begin=("$YOLO" train --cfg "$net.cfg" --data "$(data_of $net)" --seed 3 --val-every 20 -q)
    try "$net: begins" "${begin[@]}" --weights none --iters 20 --out $net
    status 0
    from=$net/last.weights
    train=("${begin[@]}" --weights "$from" --optimizer adam --decay .01)

    # ---- bytes and statistics, as the table says ----

    for bn in auto eval frozen; do
        try "$net: a frozen trunk keeps its bytes, --bn $bn" "${train[@]}" --freeze 0-1 --bn $bn --iters 12 --out $net.$bn
        status 0
        holds [ "$(moved $from $net.$bn/last.weights $net.cfg values 0 1)" -eq 0 ]
        holds [ "$(moved $from $net.$bn/last.weights $net.cfg statistics 0 1)" -eq 0 ]
        holds [ "$(moved $from $net.$bn/last.weights $net.cfg values 2 9)" -gt 0 ]
        moving=$(moved $from $net.$bn/last.weights $net.cfg statistics 2 9)
        if [ $bn = auto ]; then holds [ "$moving" -gt 0 ]; else holds [ "$moving" -eq 0 ]; fi
    done
    try "$net: --bn train lets the statistics of frozen layers follow" "${train[@]}" --freeze 0-1 --bn train --iters 12 --out $net.train
    status 0
    holds [ "$(moved $from $net.train/last.weights $net.cfg values 0 1)" -eq 0 ]
    holds [ "$(moved $from $net.train/last.weights $net.cfg statistics 0 1)" -gt 0 ]

    # ---- stages, threads, kills ----

    stages=("${train[@]}" --checkpoint-every 3
        --stage "freeze=0-1 iters=40" --stage "freeze=0-0 bn=eval iters=40" --stage "freeze=none lr=1e-4 iters=60")
    try "$net: stages" "${stages[@]}" --threads 1 --out $net.stages
    status 0
    try "$net: other threads, the same bytes" "${stages[@]}" --threads 3 --loader-threads 2 --out $net.threads
    status 0
    holds cmp $net.stages/last.weights $net.threads/last.weights
    holds cmp $net.stages/best.weights $net.threads/best.weights
    try "$net: killed and resumed" true
    kills=0
    for round in 1 2 3 4; do
        from_run=("${stages[@]}" --out "$net.killed")
        [ ! -e $net.killed/args.json ] || from_run=("$YOLO" train --resume "$net.killed" -q)
        "${from_run[@]}" --threads $((round % 2 + 1)) >/dev/null 2>&1 &
        for _ in $(seq 600); do
            [ -e $net.killed/last.state ] && break
            sleep .01
        done
        sleep ".0$((RANDOM % 9))"
        kill -KILL $! 2>/dev/null
        wait $! 2>/dev/null
        [ $? -eq 137 ] && kills=$((kills + 1))
    done
    "$YOLO" train --resume $net.killed -q >/dev/null 2>"$work/err"
    holds [ $kills -ge 1 ]
    holds cmp $net.stages/last.weights $net.killed/last.weights
    holds cmp $net.stages/best.weights $net.killed/best.weights
    holds cmp <(cut -d, -f1-8 $net.stages/results.csv) <(cut -d, -f1-8 $net.killed/results.csv)

    # ---- kept features ----

    kept=("${train[@]}" --freeze 0-1 --epochs 12)
    if [ $net = auto ]; then
        try "$net: no kept features" "${kept[@]}" --cache-features 3 --out $net.kept
        status 2
        one_error 'target is the picture itself'
        continue
    fi
    try "$net: without kept features" "${kept[@]}" --out $net.plain
    status 0
    try "$net: as many variants as epochs are the same bytes" "${kept[@]}" --cache-features 12 --out $net.kept
    status 0
    holds cmp $net.plain/last.weights $net.kept/last.weights
    try "$net: three variants" "${kept[@]}" --cache-features 3 --out $net.three
    status 0
    mkdir -p $net.lost/features.cache # no file can be there
    try "$net: the same without the file" "${kept[@]}" --cache-features 3 --threads 2 --out $net.lost
    status 0
    holds cmp $net.three/last.weights $net.lost/last.weights

    # ---- dropout acts in training only ----

    try "$net: eval" "$YOLO" eval --run $net --format json
    status 0
    grep -v _ms "$work/out" >first.json
    json 'v["loss"] > 0'
    try "$net: eval again, other threads" "$YOLO" eval --run $net --format json --threads 3
    status 0
    holds cmp first.json <(grep -v _ms "$work/out")
    awk '/^\[/ { drops = /dropout/ } !drops' $net.cfg >$net.dropless.cfg
    holds [ "$(grep -c dropout $net.dropless.cfg)" -eq 0 ]
    # the .weights file is the same: [dropout] has no parameters
    names=()
    [ $net = dense ] || names=(--names "$net/$net.names")
    try "$net: eval without its [dropout] layers" "$YOLO" eval --cfg $net.dropless.cfg --weights $net/best.weights --data "$(data_of $net)" "${names[@]}" --format json
    status 0
    holds [ "$(grep -E '"(loss|top1|top2|MAE)"' "$work/out")" = "$(grep -E '"(loss|top1|top2|MAE)"' first.json)" ]
done

# A trunk that is frozen leaves the dropout above it on, one that is frozen with it does not drop: at a rate that
# moves nothing the training loss of the latter is that of the validation.
printf 'train = train.csv\nvalid = train.csv\n' >same.data
still=("$YOLO" train --cfg dense.cfg --data same.data --seed 3 --weights dense/last.weights --lr 1e-30 --bn eval --batch 64 --iters 3 --val-every 1 --log-every 1 -q)
try "all that is frozen drops nothing" "${still[@]}" --freeze 0-4 --out calm
status 0
holds awk -F, 'NR > 1 && ($5 - $7 > 1e-5 * $7 || $7 - $5 > 1e-5 * $7) { bad = 1 } END { exit bad || NR < 4 }' calm/results.csv
try "dropout above a frozen layer drops" "${still[@]}" --freeze 0-3 --out wild
status 0
holds awk -F, 'NR > 1 && !($5 > 1.001 * $7 || $5 < .999 * $7) { bad = 1 } END { exit bad || NR < 4 }' wild/results.csv
finish
