#!/usr/bin/env bash
# Networks that torch and Keras hold, through the files that they write and `yolo import`: the same outputs on the same input, or a refusal
# with the place. tests/tools/compare_import.py, once a line.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
compare=("${PYTHON:-python3}" "$root/tests/tools/compare_import.py" "$YOLO")
picture=$root/data/tabletop/images/val/000000.jpg

for form in torch-safetensors torch-npz torch-onnx torch-onnx-traced torch-onnx-traced-norms keras-npz keras-safetensors; do
    try "$form" "${compare[@]}" $form "$picture"
    status 0
    out "^$form, parts: [0-9]+ pairs, values differ by"
    out "^$form, mnist: [0-9]+ pairs, values differ by"
done
try "names that are in no order" "${compare[@]}" torch-misnamed "$picture"
status 1
err 'net\.safetensors: .* is \[.*\], but layer 0 \[convolutional\] has 16 outputs of 3 inputs in windows of 3 x 3'
try "weights that the file computes" "${compare[@]}" torch-onnx-plain "$picture"
status 1
err 'net\.onnx: .* reads .*, which is computed and no constant \(let the exporter fold constants\)'
finish
