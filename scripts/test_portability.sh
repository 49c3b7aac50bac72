#!/usr/bin/env bash
# Other compilers, instruction sets and processors, apart from the everyday tests:
#   scripts/test_portability.sh [--install] [clang] [isa] [avx512] [aarch64] [s390x]   (default: all)
#
#   clang    -Werror build with clang, unit tests
#   isa      unit tests on emulated older processors: one without AVX, one with AVX2 only; and, where the
#            reference data is at hand, real networks with --cpu scalar, avx2, avx512
#   avx512   where the processor has AVX2 only: unit tests and real networks with the AVX-512 kernels emulated by SIMDe
#   aarch64  unit tests cross-compiled, under qemu-aarch64
#   s390x    the same on a big-endian processor
#
# --install fetches missing compilers and emulators with apt-get (as root); without it what is missing is
# skipped with a SKIP line. cJSON, libyaml and libjpeg for the other processors are the distribution's packages, unpacked below
# build/ without being installed. Last line: "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=scripts/lib_total.sh
. scripts/lib_total.sh
install=''
parts=()
for word in "$@"; do
    case "$word" in
    --install) install=1 ;;
    clang | isa | avx512 | aarch64 | s390x) parts+=("$word") ;;
    *)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
        exit 2
        ;;
    esac
done
[ ${#parts[@]} -gt 0 ] || parts=(clang isa avx512 aarch64 s390x)
jobs=$(nproc 2>/dev/null || echo 2)

run_tests() { # WHAT FOLDER [RUNNER...]
    local what=$1
    shift
    counted "$what" env TEST_TIMEOUT="${TEST_TIMEOUT:-900}" scripts/run_unit_tests.sh "$@"
}

counted() { # WHAT COMMAND...: a test script that ends with its total
    local what=$1 output
    shift
    output=$("$@" 2>&1)
    printf '%s\n' "$output" | sed "s/^/$what: /"
    add "$(printf '%s\n' "$output" | tail -n 1)" || fail "$what: no total"
}

build() { # WHAT MAKE-ARGUMENT...: status 1 and a failure if it does not build
    local what=$1 log
    shift
    log=build/portability-$what.log
    mkdir -p build
    if ! make -s -j"$jobs" WERROR=1 "$@" >"$log" 2>&1; then
        tail -n 20 "$log"
        fail "$what: does not build ($log)"
        return 1
    fi
}

want() { # COMMAND PACKAGE...: present, or installed now if allowed
    local command=$1
    shift
    command -v "$command" >/dev/null && return 0
    [ -n "$install" ] || return 1
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null &&
        command -v "$command" >/dev/null
}

clang_has_openmp() {
    printf '#include <omp.h>\nint main(void) { return omp_get_thread_num(); }\n' |
        clang -fopenmp -x c - -o /dev/null 2>/dev/null
}

test_clang() {
    if ! want clang clang; then
        skip "clang: not installed"
    elif ! clang_has_openmp && ! { want no-such-command libomp-dev || clang_has_openmp; }; then
        skip "clang: its OpenMP library (libomp-dev) is not installed"
    elif build clang CC=clang VARIANT=clang tests build/clang/yolo; then
        run_tests clang build/clang/tests
    fi
}

test_isa() {
    local cpu guarded
    build isa tests build/release/yolo || return
    if want qemu-x86_64 qemu-user; then
        run_tests "isa Nehalem" build/release/tests qemu-x86_64 -cpu Nehalem
        # qemu 7.2 reads whole vectors for AVX masked loads and so faults at protected pages, which a
        # processor does not: tests with guard pages run natively only.
        guarded=$(grep -lE 'field\.h|PROT_NONE' tests/unit/*.c | sed 's|.*/||; s|\.c$||' | tr '\n' ' ')
        TEST_EXCLUDE=$guarded run_tests "isa Haswell" build/release/tests qemu-x86_64 -cpu Haswell
    else
        skip "isa: no qemu-x86_64 (apt-get install qemu-user)"
    fi
    for cpu in scalar avx2 avx512; do
        if [ "$cpu" != scalar ] && ! grep -qw "${cpu/avx512/avx512vl}" /proc/cpuinfo; then
            skip "isa --cpu $cpu: not on this machine"
            continue
        fi
        counted "isa --cpu $cpu" env YOLO=build/release/yolo YOLO_FLAGS="--cpu $cpu" \
            bash tests/cli/test_reference.sh
    done
}

test_avx512() {
    local header=/usr/include/simde/x86/avx512.h
    if grep -qw avx512vl /proc/cpuinfo || ! grep -qw avx2 /proc/cpuinfo; then
        skip "avx512: the processor has AVX-512 itself, or not even AVX2"
        return
    fi
    [ -e "$header" ] || [ -z "$install" ] || apt-get -qq install -y --no-install-recommends libsimde-dev >/dev/null
    if [ ! -e "$header" ]; then
        skip "avx512: no SIMDe (apt-get install libsimde-dev)"
        return
    fi
    build avx512 VARIANT=simde tests build/simde/yolo || return
    run_tests "avx512 emulated" build/simde/tests
    counted "avx512 emulated" env YOLO=build/simde/yolo YOLO_FLAGS="--cpu avx512" bash tests/cli/test_reference.sh
}

# The libraries of another processor into FOLDER: private package lists, nothing installed.
foreign_libraries() { # DEBIAN-NAME FOLDER
    local state=$PWD/build/apt options deb
    local packages=(libcjson-dev libcjson1 libyaml-dev libyaml-0-2 libjpeg62-turbo-dev libjpeg62-turbo libprotobuf-c-dev libprotobuf-c1)
    compgen -G "$2/usr/lib/*/libyaml.so" >/dev/null && compgen -G "$2/usr/lib/*/libjpeg.so" >/dev/null && compgen -G "$2/usr/lib/*/libprotobuf-c.so.1" >/dev/null && return 0
    mkdir -p "$state/state/lists/partial" "$state/cache/archives/partial" "$2"
    options=(-qq -o "Dir::State=$state/state" -o "Dir::Cache=$state/cache" -o "APT::Architectures::=$1"
        -o Dir::State::status=/var/lib/dpkg/status -o "APT::Sandbox::User=$(id -un)")
    apt-get "${options[@]}" update >/dev/null 2>&1
    (cd "$state" && apt-get "${options[@]}" download "${packages[@]/%/:$1}" >/dev/null 2>&1)
    for deb in "$state"/lib*_"$1".deb; do
        dpkg -x "$deb" "$2" 2>/dev/null || return 1
    done
}

test_foreign() { # PROCESSOR DEBIAN-NAME
    local triple=$1-linux-gnu prefix=$PWD/build/$1-prefix emulator=qemu-$1
    if ! want "$triple-gcc" "gcc-$1-linux-gnu" "libc6-dev-$2-cross"; then
        skip "$1: no $triple-gcc (apt-get install gcc-$1-linux-gnu)"
    elif ! want "$emulator" qemu-user; then
        skip "$1: no $emulator (apt-get install qemu-user)"
    elif ! foreign_libraries "$2" "$prefix"; then
        skip "$1: could not fetch the libraries for $2"
    else
        # stb is headers only; the compiler must see it, but none of the host's other headers.
        mkdir -p "$prefix/usr/include"
        ln -sfn /usr/include/stb "$prefix/usr/include/stb"
        rm -rf "build/$1" # made with other flags, perhaps
        # By default s390x computes floats in double where C11 allows it; nobody else does.
        build "$1" CC="$triple-gcc" VARIANT="$1" \
            CFLAGS="-O2 -fexcess-precision=fast -isystem $prefix/usr/include -isystem $prefix/usr/include/$triple" \
            LDFLAGS="-L$prefix/usr/lib/$triple" tests "build/$1/yolo" || return
        run_tests "$1" "build/$1/tests" "$emulator" -L "/usr/$triple" \
            -E "LD_LIBRARY_PATH=$prefix/usr/lib/$triple"
    fi
}

for part in "${parts[@]}"; do
    case "$part" in
    clang) test_clang ;;
    isa) test_isa ;;
    avx512) test_avx512 ;;
    aarch64) test_foreign aarch64 arm64 ;;
    s390x) test_foreign s390x s390x ;;
    esac
done
total
