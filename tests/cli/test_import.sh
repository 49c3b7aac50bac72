#!/usr/bin/env bash
# yolo import: the pairs that it prints, what it writes and refuses. The files of other programs are tests/unit/test_import.c's and
# tests/oracles/test_onnx.sh's; here is what yolo export wrote.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work" || exit 1
cfg=$root/cfg/tabletop.cfg weights=$root/weights/tabletop.weights
if ! "$YOLO" export a.onnx --cfg "$cfg" --weights "$weights" -q 2>err; then
    skip import "$(cat err)"
    finish
fi
try "an ONNX file: every pair" "$YOLO" import a.onnx --cfg "$cfg" --out a.weights
status 0
out '^layer 0 \[convolutional\] weights <- layer_0_convolutional/weights \[[0-9, ]+\]$'
out '^layer 0 \[convolutional\] rolling_variance <- layer_0_convolutional/rolling_variance$'
err '^a\.weights: [0-9]+ layers, [0-9]+ parameters$'
try "the same values" "$YOLO" diff "$weights" a.weights --cfg "$cfg"
out 'total: [0-9]+ values, 0 changed, 0 bytes changed'
prepare "$YOLO" export h.onnx --fp16 --cfg "$cfg" --weights "$weights"
try "batch norm in the weights" "$YOLO" import h.onnx --cfg "$cfg" --out h.weights
status 0
out 'layer 0 \[convolutional\] scales <- 1 \(batch norm is in the file.s weights\)'
try "another network" "$YOLO" import a.onnx --cfg "$root/cfg/yolov4-tiny.cfg" --out b.weights
status 2
one_error 'a\.onnx: layer_0_convolutional/weights is \[16, 3, 3, 3\], but layer 0 \[convolutional\] has 32 outputs of 3 inputs in windows of 3 x 3'
holds test ! -e b.weights
head -c 100000 a.onnx >cut.onnx
try "a cut file" "$YOLO" import cut.onnx --cfg "$cfg" --out b.weights
status 2
one_error 'cut\.onnx: byte [0-9]+: a length that runs past the end \(cut off\?\)'
cp "$weights" fake.npz
try "no archive" "$YOLO" import fake.npz --cfg "$cfg" --out b.weights
status 2
one_error 'fake\.npz: not a \.npz archive'
cp "$weights" fake.safetensors
try "no safetensors" "$YOLO" import fake.safetensors --cfg "$cfg" --out b.weights
status 2
one_error 'fake\.safetensors: not a \.safetensors file'
try "an ending that is not known" "$YOLO" import "$weights" --cfg "$cfg" --out b.weights
status 2
one_error 'not known by its ending'
for missing in "a.onnx --cfg $cfg" "a.onnx --out b.weights" "--cfg $cfg --out b.weights" "none.npz --cfg $cfg --out b.weights" \
    "a.onnx --cfg none.cfg --out b.weights" "a.onnx --cfg $cfg --out b.weights --eps 2" "a.onnx --cfg $cfg --out b.weights --norm x"; do
    read -r -a words <<<"$missing"
    try "import ${missing//$root\//}" "$YOLO" import "${words[@]}"
    status 2
    holds test ! -e b.weights
done
try "over its input" "$YOLO" import a.onnx --cfg "$cfg" --out a.onnx
status 2
one_error 'would overwrite an input'
finish
