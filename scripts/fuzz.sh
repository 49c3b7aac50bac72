#!/usr/bin/env bash
# Fuzz the readers of foreign files with libFuzzer under ASan and UBSan: scripts/fuzz.sh [TARGET] [SECONDS]
#
# TARGET is one of tests/fuzz/fuzz_TARGET.c; without it all run, two at a time. SECONDS for each, 60 by default.
# What a run learns stays in build/fuzz/corpus/TARGET for the next one; a finding is kept in build/fuzz/findings and
# replayed by build/fuzz/fuzz/TARGET FILE. At the end a table of executions. Exit status 1 if there was a finding.
set -u
cd "$(dirname "$0")/.." || exit 1
targets=() seconds=60
for word in "$@"; do
    case $word in
    *[!0-9]*)
        if ! [ -f "tests/fuzz/fuzz_$word.c" ]; then
            echo "fuzz: no target $word; there are: $(basename -as .c tests/fuzz/fuzz_*.c | sed 's/^fuzz_//' | tr '\n' ' ')" >&2
            exit 2
        fi
        targets+=("$word")
        ;;
    *) seconds=$word ;;
    esac
done
if [ ${#targets[@]} -eq 0 ]; then
    mapfile -t targets < <(basename -as .c tests/fuzz/fuzz_*.c | sed 's/^fuzz_//')
fi

# clang alone may come without the libraries of its sanitizers and of OpenMP.
can_fuzz() {
    printf '#include <omp.h>\n#include <stddef.h>\nint LLVMFuzzerTestOneInput(const char *d, size_t n) { return d && n ? 0 : 0; }\n' |
        clang -fopenmp -fsanitize=fuzzer,address,undefined -x c - -o build/can_fuzz >/dev/null 2>&1
}
mkdir -p build
if ! can_fuzz; then
    version=$(clang -dumpversion 2>/dev/null | cut -d. -f1)
    packages=(clang "libclang-rt${version:+-$version}-dev" "libomp${version:+-$version}-dev")
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    echo "fuzz: needs ${packages[*]}" >&2
    if ! command -v apt-get >/dev/null ||
        ! { ${as_root[@]+"${as_root[@]}"} apt-get -qq update &&
            ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y clang &&
            ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
                "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev" "libomp-$(clang -dumpversion | cut -d. -f1)-dev"; } >&2; then
        echo "fuzz: please install clang, and libclang-rt-N-dev and libomp-N-dev of its version" >&2
        exit 1
    fi
    can_fuzz || exit 1
fi
programs=("${targets[@]/#/build/fuzz/fuzz/}")
make -s -j"$(nproc)" CC=clang VARIANT=fuzz "${programs[@]}" || exit 1

export ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=1
[ -w /dev/shm ] && export TMPDIR=/dev/shm
mkdir -p build/fuzz/findings build/fuzz/log

fuzz() { # TARGET
    local own=build/fuzz/corpus/$1
    mkdir -p "$own"
    # A stop in time of its own, should the target hang where libFuzzer's alarm does not reach. Of memory stb asks for up to 2 GB and a
    # bit, of which it then touches what the file has.
    timeout -k 5 $((seconds + 120)) "build/fuzz/fuzz/$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
        -max_len=4096 -close_fd_mask=3 -print_final_stats=1 -artifact_prefix="build/fuzz/findings/$1." \
        "$own" "tests/fuzz/corpus/$1" >"build/fuzz/log/$1" 2>&1
    echo "$?" >"build/fuzz/log/$1.status"
}

running=0
for target in "${targets[@]}"; do
    fuzz "$target" &
    running=$((running + 1))
    if [ "$running" -ge 2 ]; then
        wait -n
        running=$((running - 1))
    fi
done
wait

findings=0 total=0
printf '%-10s %12s %8s %9s %8s\n' target executions seconds coverage findings
for target in "${targets[@]}"; do
    log=build/fuzz/log/$target
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    bad=0
    [ "$(cat "$log.status")" -eq 0 ] || bad=1
    printf '%-10s %12s %8s %9s %8d\n' "$target" "${executions:-?}" "$seconds" "${coverage:-?}" "$bad"
    total=$((total + ${executions:-0}))
    if [ "$bad" -ne 0 ]; then
        findings=$((findings + 1))
        grep -m 1 -E 'ERROR:|SUMMARY|runtime error|fuzz: not so|Test unit written' "$log" | sed 's/^/    /'
        sed -n 's/.*Test unit written to /    /p' "$log"
    fi
done
echo "$total executions, $findings finding(s)"
[ "$findings" -eq 0 ]
