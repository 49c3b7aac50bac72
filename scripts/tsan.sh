#!/usr/bin/env bash
# Data races, looked for with clang's ThreadSanitizer and libomp's Archer, which tells it of OpenMP's
# synchronisation (gcc's libgomp cannot): scripts/tsan.sh [PART]... (default: unit detect train host)
#
#   unit     the unit tests of parallel loops and of the ring that reads ahead
#   detect   yolo detect on a folder: readers, the network on three threads, writers; a picture a thread
#   train    yolo train: readers, forward, backward, update, validation, kept features
#   host     libyolo.so in a process with OpenMP of its own
#
# Builds the variant tsan: scalar kernels only, as the others take clang minutes and share their loops. Needs
# clang, and libclang-rt-N-dev and libomp-N-dev of its version; skipped loudly without. Last line: "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=scripts/lib_total.sh
. scripts/lib_total.sh
parts=()
for word in "$@"; do
    case "$word" in
    unit | detect | train | host) parts+=("$word") ;;
    *)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
        exit 2
        ;;
    esac
done
[ ${#parts[@]} -gt 0 ] || parts=(unit detect train host)
jobs=$(nproc 2>/dev/null || echo 2)

log=build/tsan.log
mkdir -p build
printf '#include <omp.h>\nint main(void) { return omp_get_thread_num(); }\n' >build/tsan_probe.c
if ! clang -fopenmp -fsanitize=thread build/tsan_probe.c -o build/tsan_probe 2>"$log"; then
    skip "races: no clang with ThreadSanitizer and OpenMP (libclang-rt-N-dev, libomp-N-dev): $log"
    total
fi
archer=$(ldd build/tsan_probe | awk '/libomp/ { print $3 }')
archer=$(dirname "$(readlink -f "$archer")")/libarcher.so
rm -f build/tsan_probe build/tsan_probe.c
if [ ! -f "$archer" ]; then
    skip "races: no libarcher.so beside clang's libomp"
    total
fi

programs=(build/tsan/yolo build/tsan/libyolo.so build/tsan/tests/helpers/host
    build/tsan/tests/test_parallel build/tsan/tests/test_stream build/tsan/tests/test_loader)
if ! make -s -j"$jobs" VARIANT=tsan CC=clang WERROR=1 "${programs[@]}" >"$log" 2>&1; then
    tail -n 20 "$log"
    fail "the variant does not build ($log)"
    total
fi

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export OMP_TOOL_LIBRARIES=$archer
# libomp itself is not instrumented; a report ends with a status that no command has.
export TSAN_OPTIONS="ignore_noninstrumented_modules=1 exitcode=66 ${TSAN_OPTIONS:-}"

clean() { # NAME COMMAND...: ends well and without a report
    local name=$1 status
    shift
    "$@" >"$work/out" 2>&1 </dev/null
    status=$?
    if [ "$status" -ne 0 ] || grep -q 'WARNING: ThreadSanitizer' "$work/out"; then
        grep -A 30 -m 1 'WARNING: ThreadSanitizer' "$work/out" || tail -n 5 "$work/out"
        fail "$name: status $status, $(grep -c 'WARNING: ThreadSanitizer' "$work/out") reports"
    else
        echo "ok $name"
        passed=$((passed + 1))
    fi
}

# A program with a race, so that silence means something.
planted() {
    cat >"$work/race.c" <<'C'
#include <stdio.h>
int main(void)
{
    int shared = 0;
#pragma omp parallel num_threads(2)
    for (int i = 0; i < 1000; i++) {
        shared++;
    }
    printf("%d\n", shared);
    return 0;
}
C
    clang -O1 -g -fopenmp -fsanitize=thread "$work/race.c" -o "$work/race" || return
    "$work/race" >"$work/out" 2>&1
    [ $? -eq 66 ]
}
if planted; then
    echo "ok a planted race is found"
    passed=$((passed + 1))
else
    fail "a planted race is not found"
fi

yolo=build/tsan/yolo
model=(--cfg tests/golden/tiny.cfg --weights tests/golden/tiny.weights)
clean "pictures" "$yolo" synth "$work/set" --train 12 --val 4 --size 96x96 --seed 1 --threads 3 -q
for part in "${parts[@]}"; do
    case "$part" in
    unit)
        for program in parallel stream loader; do
            clean "unit: $program" "build/tsan/tests/test_$program"
        done
        ;;
    detect)
        clean "detect, batches" "$yolo" detect "$work/set/images" "${model[@]}" --threads 3 --batch 2 --conf 0.01 --out "$work/drawn"
        clean "detect, a picture a thread" "$yolo" detect "$work/set/images" "${model[@]}" --threads 3 --conf 0.01 --out "$work/drawn"
        clean "check" "$yolo" check "$work/set/synth.data" --threads 3
        ;;
    train)
        for how in "" "--freeze 0-3" "--freeze 0-3 --cache-features 1 --no-augment"; do
            # shellcheck disable=SC2086 # words
            clean "train $how" "$yolo" train --data "$work/set/synth.data" --cfg cfg/tabletop.cfg --weights none --imgsz 96 \
                --iters 6 --batch 4 --ema .9 --val-every 3 --threads 3 --loader-threads 2 --seed 1 $how --out "$work/run$RANDOM"
        done
        ;;
    host)
        clean "host" build/tsan/tests/helpers/host build/tsan/libyolo.so tests/golden/winograd.cfg 0 3 3
        ;;
    esac
done
total
