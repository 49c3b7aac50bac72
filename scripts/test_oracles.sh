#!/usr/bin/env bash
# Against what others compute, apart from the everyday tests: scripts/test_oracles.sh [PART]...   (default: all)
#
#   scripts   scripts/*_to_yolo.py: VOC and Roboflow sets become ours        python3
#   formats   what yolo writes, read by Python's own parsers                 python3
#   coco      yolo eval's twelve numbers                                     pycocotools
#   opencv    the boxes of weights that yolo trained, in OpenCV's dnn        opencv-python-headless 4
#   onnx      exported networks in other programs                            onnxruntime, openvino, ncnn, pnnx,
#             opencv-python-headless 5 (in a folder of its own, build/oracles-onnx)
#   torch     every layer of whole networks                                  torch (3 GB with its CUDA libraries;
#             PIP_EXTRA_INDEX_URL may name an index of builds for CPUs)
#
# What is needed is installed by pip, in the versions below, into build/oracles; nothing else is touched. Python is
# $PYTHON, or the first of python3 and /usr/bin/python3 that is 3.11 or newer. Last line: "N passed, N failed"
# (", N skipped" may follow). A part whose packages cannot be fetched is skipped.
set -u
cd "$(dirname "$0")/.." || exit 1
exec </dev/null
# shellcheck source=scripts/lib_total.sh
. scripts/lib_total.sh

needs_of() { # PART
    case "$1" in
    scripts | formats) ;;
    # 2.0.10 and older cannot read results against a truth without "info".
    coco) echo numpy==2.3.5 pycocotools==2.0.10 ;;
    # OpenCV 5 removed the importer of Darknet's files.
    opencv) echo numpy==2.3.5 opencv-python-headless==4.14.0.94 ;;
    onnx) echo numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 ncnn==1.0.20261020 pnnx==20261020 \
        opencv-python-headless==5.0.0.93 ;;
    torch) echo numpy==2.3.5 torch==2.15.0 ;;
    *) return 1 ;;
    esac
}

parts=("$@")
[ $# -gt 0 ] || parts=(scripts formats coco opencv onnx torch)
for part in "${parts[@]}"; do
    if ! needs_of "$part" >/dev/null; then
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
        exit 2
    fi
done
mkdir -p build

find_python() { # prints the first that will do
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3; do
        if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

scripts/setup.sh || {
    fail "set-up"
    total
}
python=$(find_python) || { scripts/setup.sh --python && python=$(find_python); } || {
    skip "${parts[*]}: no Python of 3.11 or newer (set PYTHON)"
    total
}
jobs=$(nproc 2>/dev/null || echo 2)
if ! make -s -j"$jobs" WERROR=1 build/release/yolo tests >build/make.log 2>&1; then
    tail -n 60 build/make.log
    fail "build"
    total
fi

install() { # PACKAGE==VERSION...: a virtual environment in $folder, made once; pip is quick about what is there
    if ! [ -x "$folder/bin/python3" ] || ! "$folder/bin/python3" -m pip --version >/dev/null 2>&1; then
        rm -rf "$folder"
        "$python" -m venv "$folder" || { # Debian has ensurepip in a package of its own
            scripts/setup.sh --python && rm -rf "$folder" && "$python" -m venv "$folder"
        } || return
    fi
    local package alone=() others=()
    for package in "$@"; do
        case "$package" in
        pnnx==*) alone+=("$package") ;; # its program needs nothing of the torch that it asks for
        *) others+=("$package") ;;
        esac
    done
    "$folder/bin/python3" -m pip install --no-input --disable-pip-version-check "${others[@]}" || return
    [ ${#alone[@]} -eq 0 ] || "$folder/bin/python3" -m pip install --no-input --disable-pip-version-check --no-deps "${alone[@]}"
}

for part in "${parts[@]}"; do
    runs=$python
    read -r -a needs < <(needs_of "$part")
    folder=$PWD/build/oracles
    [ "$part" != onnx ] || folder+=-onnx # OpenCV 5 beside OpenCV 4
    if [ ${#needs[@]} -gt 0 ]; then
        echo "== $part: ${needs[*]}"
        if ! install "${needs[@]}" >"build/oracles-$part.log" 2>&1; then
            tail -n 3 "build/oracles-$part.log"
            skip "$part: ${needs[*]} cannot be installed (build/oracles-$part.log)"
            continue
        fi
        runs=$folder/bin/python3
    fi
    count "$part" env PYTHON="$runs" YOLO="$PWD/build/release/yolo" bash "tests/oracles/test_$part.sh"
done
total
