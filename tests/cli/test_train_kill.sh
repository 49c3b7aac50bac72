#!/usr/bin/env bash
# yolo train, killed twenty times and resumed each time, ends with the bytes of the run that nobody
# touched: at random moments, and where it would hurt most: in the middle of a checkpoint's write, during
# a validation, before the first checkpoint. KILL_SEED=N repeats the random moments.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$(dirname "$0")/lib_train.sh"

RANDOM=${KILL_SEED:=$$}
echo "KILL_SEED=$KILL_SEED"
run=(--data set/synth.data --cfg tiny.cfg --seed 3 --iters 240 --ema .99 --val-every 30
    --checkpoint-every 7 --log-every 2)

# Everything but what the clock gave.
rows() {
    cut -d, -f1-15 "$1/results.csv"
}

same_run() { # FOLDER: as whole/
    cmp whole/last.weights "$1/last.weights" && cmp whole/best.weights "$1/best.weights" &&
        cmp <(rows whole) <(rows "$1")
}

begun=$(date +%s%3N)
try "the run that nobody touches" "$YOLO" train "${run[@]}" --out whole --threads 1 -q
span=$(($(date +%s%3N) - begun)) # ms; the random moments are parts of it, for a machine of any speed
status 0
holds [ "$(rows whole | wc -l)" -eq 121 ]
holds [ "$(cut -d, -f1 whole/results.csv | sort -un | wc -l)" -eq 121 ]
try "other threads, the same bytes" "$YOLO" train "${run[@]}" --out other --threads 2 \
    --loader-threads 3 --cache-mb 0 -q
status 0
holds same_run other

# ---- killing ----

begin() { # SECONDS THREADS: a session of the run in killed/ begins in the background
    local from=("${run[@]}" --out killed)
    if [ -e killed/args.json ]; then
        from=(--resume killed)
    fi
    "$YOLO" train "${from[@]}" --threads "$1" --loader-threads 1 -q >/dev/null 2>"$work/err" &
    pid=$!
}

# shellcheck disable=SC2317 # reached through strike_when
is_writing() {
    compgen -G 'killed/*.tmp' >/dev/null
}

# shellcheck disable=SC2317
is_validating() { # with one thread: the main one, the loader's, and the validation's loader's
    local tasks=("/proc/$pid/task/"*)
    [ "${#tasks[@]}" -ge 3 ]
}

# shellcheck disable=SC2317
is_fresh() {
    [ -e killed/args.json ] && [ ! -e killed/last.state ]
}

# Stop the process at moments a few milliseconds apart until the condition holds, then kill it as it is.
strike_when() { # CONDITION
    while kill -STOP "$pid" 2>/dev/null; do
        if "$1"; then
            kill -KILL "$pid"
            return
        fi
        kill -CONT "$pid"
        sleep "0.00$((1 + RANDOM % 4))"
    done
}

kills=0 writing=0 validating=0 fresh=0 finished=0
killed() { # what the session ended with: 0 if it was killed
    wait "$pid" 2>/dev/null
    local ended=$?
    if [ "$ended" -eq 137 ]; then
        kills=$((kills + 1))
        return 0
    fi
    [ "$ended" -eq 0 ] || fault "a session ended with status $ended: $(tail -n 1 "$work/err")"
    finished=$((finished + 1)) # faster than the killer: compare, and once more from the beginning
    same_run killed || fault "a run that ended between two kills differs"
    rm -rf killed
    return 1
}

try "killed" true
for _ in $(seq 40); do # mostly at once; the gap before the first checkpoint is short
    begin 1
    strike_when is_fresh
    if killed && [ -e killed/args.json ] && [ ! -e killed/last.state ]; then
        fresh=$((fresh + 1))
        [ "$fresh" -eq 2 ] && break
    else
        rm -rf killed
    fi
done
kills=$fresh
while [ "$kills" -lt 20 ] && [ "$finished" -lt 40 ] && [ -z "$faults" ]; do
    case $((kills % 4)) in
    0)
        begin 1
        strike_when is_validating
        killed && validating=$((validating + 1))
        ;;
    1)
        begin 2
        strike_when is_writing
        killed && is_writing && writing=$((writing + 1))
        ;;
    *)
        begin $((1 + RANDOM % 2))
        pause=$((span * (10 + RANDOM % 40) / 100))
        sleep "$((pause / 1000)).$(printf %03d $((pause % 1000)))"
        kill -KILL "$pid" 2>/dev/null
        killed
        ;;
    esac
done
echo "$kills kills: $fresh before the first checkpoint, $writing in the middle of a write," \
    "$validating during a validation; $finished runs ended between them"
holds [ "$kills" -ge 20 ]
holds [ "$fresh" -ge 1 ]
holds [ "$writing" -ge 1 ]
holds [ "$validating" -ge 1 ]
try "and resumed to the end" "$YOLO" train --resume killed -q
status 0
holds same_run killed
holds [ -z "$(compgen -G 'killed/*.tmp')" ]
# ---- interrupts and divergence ----

# A rate that is too high two updates after the last checkpoint: what an interrupt saved in between is no
# place to go back to, an undisturbed run has no checkpoint there.
wild=(--data set/synth.data --cfg tiny.cfg --seed 3 --threads 1 --log-every 3 -q
    --stage "freeze=none iters=10 lr=1e-3 warmup=0" --stage "freeze=none bn=eval iters=400 lr=1 warmup=0")
try "a run that diverges" "$YOLO" train "${wild[@]}" --out wild
status 4
holds [ "$(tail -n +2 wild/results.csv | cut -d, -f1 | tr "\n" " ")" = "3 6 9 10 " ]
"$YOLO" train "${wild[@]}" --out stopped >/dev/null 2>&1 &
for _ in $(seq 500); do
    [ -e stopped/last.state ] && break
    sleep .02
done
ends=0
for turn in $(seq 200); do
    # Longer and longer: on a busy machine, or with a sanitizer, a run takes its time to begin.
    hundredths=$(((RANDOM % 4 + 2) * (10 + turn) / 10))
    sleep "$((hundredths / 100)).$(printf %02d $((hundredths % 100)))"
    kill -TERM $! 2>/dev/null
    wait $!
    ends=$?
    [ "$ends" -eq 4 ] && break
    "$YOLO" train --resume stopped -q >/dev/null 2>&1 &
done
try "the same, interrupted again and again" true
holds [ "$ends" -eq 4 ]
holds cmp wild/last.weights stopped/last.weights
holds cmp <(rows wild) <(rows stopped)
finish
