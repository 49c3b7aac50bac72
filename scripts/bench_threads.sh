#!/usr/bin/env bash
# What the threads cost: time alone and beside other work, of one program or of two in turns:
#   scripts/bench_threads.sh [--quick] [--rounds N] [--threads N] [--part NAME]... [BINARY [OTHER]]
# BINARY is ./yolo by default. With OTHER (an older build, say) each round times both, one after the other, and the
# ratio BINARY / OTHER is the median of the rounds' ratios. Networks: yolov4 and yolov4-tiny at 416, yolo-fastest-1.1 at
# 320, each by `yolo bench` (a picture) and `yolo bench --train` (a step of a batch of two; yolov4 at 224, or it takes
# minutes). Weights are random: only the time counts. Medians in ms. The parts (default: all):
#
#   load      alone; beside a busy process (an endless loop, one processor's worth); beside two decoder threads
#             (`yolo check` on rendered pictures, --threads 2, over and over: it decodes and looks)
#   wait      the same networks but yolov4, alone and beside the busy process, with OMP_WAIT_POLICY unset, active, passive
#   host      libyolo.so beside BINARY in a process that is not yolo, with OpenMP regions of its own between the passes
#             (build/*/tests/helpers/host), by wait policy, alone and beside the busy process; yolov4-tiny at 416
#   bits      outputs of every layer, and weights after three updates, on 1, 2, 3 and 8 threads: the same bytes?
#
# --quick: one round of few runs, yolov4 left out; a look, no measurement. The default takes some ten minutes on two
# cores. Run it on a machine that does nothing else.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib_bench.sh
. scripts/lib_bench.sh
shared=${YOLO_SHARED:-../shared}
rounds=3 threads=$(nproc 2>/dev/null || echo 2) quick='' parts=() programs=()
while [ $# -gt 0 ]; do
    case "$1" in
    --quick) quick=1 ;;
    --rounds | --threads)
        [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || {
            echo "bench_threads: $1 needs a number" >&2
            exit 2
        }
        printf -v "${1#--}" '%s' "$2"
        shift
        ;;
    --part)
        case "${2:-}" in
        load | wait | host | bits) parts+=("$2") && shift ;;
        *)
            echo "bench_threads: no part ${2:-} (load, wait, host, bits)" >&2
            exit 2
            ;;
        esac
        ;;
    -h | --help)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
        exit 0
        ;;
    -*)
        echo "bench_threads: unknown option $1 (see --help)" >&2
        exit 2
        ;;
    *) programs+=("$1") ;;
    esac
    shift
done
[ ${#parts[@]} -gt 0 ] || parts=(load wait host bits)
if [ ${#programs[@]} -eq 0 ]; then
    [ -x ./yolo ] || make -s -j"$threads"
    programs=(./yolo)
fi
if [ ${#programs[@]} -gt 2 ]; then
    echo "bench_threads: one program or two" >&2
    exit 2
fi
for program in "${programs[@]}"; do
    if ! "$program" --version >/dev/null; then
        echo "bench_threads: $program does not run" >&2
        exit 2
    fi
done
[ -z "$quick" ] || rounds=1
# What the caller's shell happens to set would be measured.
unset OMP_WAIT_POLICY OMP_NUM_THREADS OMP_PROC_BIND OMP_PLACES OMP_DYNAMIC OMP_THREAD_LIMIT GOMP_SPINCOUNT KMP_BLOCKTIME

folder=$(mktemp -d)
beside=() # processes that are the other work
end_work() {
    local process
    for process in ${beside[@]+"${beside[@]}"}; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    beside=()
}
trap 'end_work; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

# shellcheck disable=SC2317 # called through measure

find_cfg() { # MODEL: nothing if it is nowhere
    local candidate
    for candidate in "cfg/$1.cfg" "$shared/reference/cfg/$1.cfg" "$shared/weights/$1-coco/$1.cfg"; do
        if [ -f "$candidate" ]; then
            echo "$candidate"
            return
        fi
    done
    echo "bench_threads: SKIP $1: no $1.cfg in cfg/, $shared/reference/cfg or $shared/weights/$1-coco" >&2
}

command_of() { # MODEL picture|step: sets command, and key, where its JSON has the time
    local size=416 runs=15
    case "$1" in
    yolo-fastest*) size=320 runs=60 ;;
    yolov4) runs=3 ;;
    esac
    key=infer_ms
    command=(bench --cfg "$(find_cfg "$1")" --warmup 1)
    if [ "$2" = step ]; then
        key=step_ms
        runs=$((runs / 5 + 1))
        [ "$1" != yolov4 ] || size=224
        command+=(--train --batch 2)
    fi
    [ -z "$quick" ] || runs=$((runs / 5 + 1))
    command+=(--imgsz "$size" --runs "$runs" --threads "$threads" --format json -q)
}

models=()
for model in yolov4 yolov4-tiny yolo-fastest-1.1; do
    if [ "$model" = yolov4 ] && [ -n "$quick" ]; then
        continue
    fi
    [ -z "$(find_cfg "$model")" ] || models+=("$model")
done

busy_loop() { # one processor's worth of work
    (while :; do :; done) &
    beside+=($!)
}

decoders() { # two threads that decode pictures
    if [ ! -d "$folder/pictures" ]; then
        "${programs[0]}" synth "$folder/pictures" --train 40 --val 1 --size 640x480 --seed 1 -q >/dev/null
    fi
    (
        trap 'kill "${child:-}" 2>/dev/null; exit' TERM
        while :; do
            "${programs[0]}" check "$folder/pictures/synth.data" --threads 2 >/dev/null 2>&1 &
            child=$!
            wait "$child" || true
        done
    ) &
    beside+=($!)
}

start_work() { # NAME
    case "$1" in
    'busy process') busy_loop ;;
    '2 decoders') decoders ;;
    esac
    [ "$1" = alone ] || sleep 0.3
}

# A row of the table: what COMMAND prints, in turns for each program ("%" is the program).
rows=()
measure() { # LABEL WORK READER COMMAND...
    local label=$1 work=$2 reader=$3 round i ms times_0=() times_1=() ratios=() row
    shift 3
    start_work "$work"
    for ((round = 0; round < rounds; round++)); do
        for i in "${!programs[@]}"; do
            ms=$(programs_turn "$i" "$@" | $reader) || ms=''
            if [ -z "$ms" ]; then
                echo "bench_threads: SKIP $label: ${programs[i]} did not run it" >&2
                end_work
                return
            fi
            if [ "$i" -eq 0 ]; then times_0+=("$ms"); else times_1+=("$ms"); fi
        done
        [ ${#programs[@]} -eq 1 ] ||
            ratios+=("$(awk -v a="${times_0[round]}" -v b="${times_1[round]}" 'BEGIN { print a / b }')")
    done
    end_work
    row=$(printf '%-34s %-14s %10.1f' "$label" "$work" "$(median "${times_0[@]}")")
    [ ${#programs[@]} -eq 1 ] ||
        row+=$(printf ' %10.1f %7.2f' "$(median "${times_1[@]}")" "$(median "${ratios[@]}")")
    echo "$row"
    rows+=("$row")
}

programs_turn() { # INDEX [ENV=x...] WORD...: "%" is the program, "%so" its library, "%host" its host
    local program=${programs[$1]} words=() word
    shift
    for word in "$@"; do
        case "$word" in
        %) words+=("$program") ;;
        %so) words+=("${program%/*}/libyolo.so") ;;
        %host) words+=("${program%/*}/tests/helpers/host") ;;
        *) words+=("$word") ;;
        esac
    done
    env "${words[@]}" 2>/dev/null
}

heading() {
    printf '\n%-34s %-14s %10s' "$1" beside ms
    [ ${#programs[@]} -eq 1 ] || printf ' %10s %7s' 'other ms' ratio
    echo
}

measure_load() {
    local model what work
    heading "threads: $threads"
    for model in "${models[@]}"; do
        for what in picture step; do
            command_of "$model" "$what"
            for work in alone 'busy process' '2 decoders'; do
                measure "$model, $what" "$work" "number $key" % "${command[@]}"
            done
        done
    done
}

policies=('' active passive)

measure_wait() {
    local model what work policy
    heading "by OMP_WAIT_POLICY"
    for model in "${models[@]}"; do
        [ "$model" != yolov4 ] || continue
        for what in picture step; do
            command_of "$model" "$what"
            for work in alone 'busy process'; do
                for policy in "${policies[@]}"; do
                    measure "$model, $what, ${policy:-unset}" "$work" "number $key" ${policy:+"OMP_WAIT_POLICY=$policy"} % "${command[@]}"
                done
            done
        done
    done
}

# shellcheck disable=SC2317 # called through measure
host_ms() { # of the first thread's passes
    awk '$1 == "main" { print $3 }'
}

# The library and its host lie where `make tests` puts them: ./yolo is a copy from build/release.
measure_host() {
    local work policy keep=("${programs[@]}") found=() program passes=12
    [ -z "$quick" ] || passes=3
    for program in "${programs[@]}"; do
        if [ "$program" -ef ./yolo ]; then
            program=build/release/yolo
        fi
        if [ -x "${program%/*}/tests/helpers/host" ] && [ -f "${program%/*}/libyolo.so" ]; then
            found+=("$program")
        else
            echo "bench_threads: SKIP host of $program: no libyolo.so or tests/helpers/host beside it (make tests)" >&2
        fi
    done
    [ ${#found[@]} -gt 0 ] || return 0
    programs=("${found[@]}")
    heading "in a foreign process"
    for work in alone 'busy process'; do
        for policy in "${policies[@]}"; do
            measure "yolov4-tiny, pass, ${policy:-unset}" "$work" host_ms ${policy:+"OMP_WAIT_POLICY=$policy"} %host %so cfg/yolov4-tiny.cfg 416 \
                "$passes" "$threads"
        done
    done
    programs=("${keep[@]}")
}

different=0
compare_bits() { # LABEL FIRST OTHER...: files or folders
    local label=$1 first=$2 other verdict=equal
    shift 2
    for other in "$@"; do
        diff -rq "$first" "$other" >/dev/null || verdict=DIFFERENT
    done
    [ "$verdict" = equal ] || different=1
    rows+=("$(printf '%-49s %s' "$label" "$verdict")")
    echo "${rows[-1]}"
}

measure_bits() {
    local program model cfg count weights i=0
    printf '\nbytes on 1, 2, 3, 8 threads\n'
    for program in "${programs[@]}"; do
        i=$((i + 1))
        "$program" synth "$folder/bits$i" --train 8 --val 2 --size 320x320 --seed 2 -q >/dev/null
        for model in "${models[@]}"; do
            [ "$model" != yolov4 ] || continue
            cfg=$(find_cfg "$model")
            # Its heads are of 80 classes; the set's labels are the first few of them.
            seq 80 >"$folder/names"
            printf 'train=%s\nvalid=%s\nnames=%s\n' "$folder/bits$i/train.txt" "$folder/bits$i/val.txt" "$folder/names" \
                >"$folder/bits.data"
            weights=() layers=()
            for count in 1 2 3 8; do
                "$program" train --data "$folder/bits.data" --cfg "$cfg" --weights none --imgsz 160 --batch 4 --iters 3 \
                    --warmup 1 --seed 1 --threads "$count" --out "$folder/$i-$model-$count" -q >/dev/null
                weights+=("$folder/$i-$model-$count/last.weights")
                "$program" dump "$folder/bits$i/images/val/000000.jpg" --cfg "$cfg" --weights "${weights[0]}" --imgsz 320 \
                    --threads "$count" --out "$folder/$i-$model-layers-$count" -q >/dev/null
                layers+=("$folder/$i-$model-layers-$count")
            done
            compare_bits "$program: $model, layers" "${layers[@]}"
            compare_bits "$program: $model, trained weights" "${weights[@]}"
            rm -rf "$folder/$i-$model"-*
        done
    done
}

started=$(date +%s)
echo "BINARY ${programs[0]}${programs[1]:+, OTHER ${programs[1]}}; $threads threads, $(nproc) processors, $rounds rounds;" \
    "load before: $(cut -d' ' -f1 /proc/loadavg 2>/dev/null || echo unknown)"
for part in "${parts[@]}"; do
    case "$part" in
    load) measure_load ;;
    wait) measure_wait ;;
    host) measure_host ;;
    bits) measure_bits ;;
    esac
done
printf '\nAll of it, %d s:\n' $(($(date +%s) - started))
heading "threads: $threads"
printf '%s\n' "${rows[@]}"
exit "$different"
