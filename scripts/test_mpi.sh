#!/usr/bin/env bash
# Build with each MPI that is installed (Open MPI, MPICH; scripts/setup.sh --mpi brings the first) and test training with
# several processes: scripts/test_mpi.sh. The last line is that of tests/cli/test_mpi.sh.
set -u
cd "$(dirname "$0")/.." || exit 1
jobs=$(nproc 2>/dev/null || echo 2)

build() { # FLAGS...
    make -s -j"$jobs" WERROR=1 "$@" >build/make_mpi.log 2>&1 || {
        tail -n 40 build/make_mpi.log
        exit 1
    }
}

mkdir -p build
build build/release/yolo build/release/tests/helpers/flat build/fail_shim.so
found=
for kind in openmpi mpich; do
    if command -v "mpicc.$kind" >/dev/null; then
        build MPI=1 MPICC="mpicc.$kind" BUILD="build/release-$kind" "build/release-$kind/yolo"
        found=yes
    fi
done
if [ -z "$found" ]; then
    command -v mpicc >/dev/null || {
        echo "no mpicc here: scripts/setup.sh --mpi" >&2
        exit 1
    }
    build MPI=1 build/release-mpi/yolo
fi
YOLO=$PWD/build/release/yolo exec bash tests/cli/test_mpi.sh
