#!/usr/bin/env bash
# Against what others compute, apart from the everyday tests: scripts/test_oracles.sh [PART]...   (default: all)
#
#   scripts   scripts/voc_to_yolo.py: a VOC set becomes ours                 python3
#   formats   what yolo writes, read by Python's own parsers                 python3
#   coco      yolo eval's twelve numbers                                     pycocotools
#   opencv    the boxes of weights that yolo trained, in OpenCV's dnn        opencv-python-headless 4
#   onnx      exported networks in other programs                            onnxruntime, openvino, ncnn, pnnx,
#             opencv-python-headless 5 (in a folder of its own, build/oracles-onnx)
#   import    networks of torch and Keras through yolo import                torch, keras, safetensors, onnx, onnxscript
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

# shellcheck source=scripts/lib_python.sh
. scripts/lib_python.sh

parts=("$@")
[ $# -gt 0 ] || parts=(scripts formats coco opencv onnx import torch)
for part in "${parts[@]}"; do
    if ! needs_of "$part" >/dev/null; then
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
        exit 2
    fi
done
mkdir -p build

scripts/setup.sh || {
    fail "set-up"
    total
}
find_python || {
    skip "${parts[*]}: no Python of 3.11 or newer (set PYTHON)"
    total
}
jobs=$(nproc 2>/dev/null || echo 2)
if ! make -s -j"$jobs" WERROR=1 build/release/yolo tests >build/make.log 2>&1; then
    tail -n 60 build/make.log
    fail "build"
    total
fi

for part in "${parts[@]}"; do
    runs=$python
    if [ -n "$(needs_of "$part")" ]; then
        echo "== $part: $(needs_of "$part")"
        if ! install_for "$part"; then
            tail -n 3 "build/oracles-$part.log"
            skip "$part: $(needs_of "$part") cannot be installed (build/oracles-$part.log)"
            continue
        fi
        runs=$folder/bin/python3
    fi
    count "$part" env PYTHON="$runs" YOLO="$PWD/build/release/yolo" bash "tests/oracles/test_$part.sh"
done
total
