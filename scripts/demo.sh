#!/usr/bin/env bash
# Find objects in sample pictures: scripts/demo.sh [PICTURE-OR-FOLDER...]
# Builds first if needed. Takes the pictures of data/ (or the shared ones beside the repository) and the
# first model it finds, and says where the annotated pictures are.
set -eu
cd "$(dirname "$0")/.."
shared=${YOLO_SHARED:-../shared}

scripts/setup.sh
make -s -j"$(nproc 2>/dev/null || echo 2)"

inputs=("$@")
if [ ${#inputs[@]} -eq 0 ]; then
    for folder in data/photos data/images data "$shared/data/photos"; do
        if [ -n "$(find "$folder" -maxdepth 1 \( -name '*.jpg' -o -name '*.png' \) 2>/dev/null | head -n 1)" ]; then
            inputs=("$folder")
            break
        fi
    done
fi
if [ ${#inputs[@]} -eq 0 ]; then
    echo "demo: no sample pictures in data/. Give some: scripts/demo.sh picture.jpg" >&2
    exit 1
fi

# What yolo takes by itself comes first: official weights in weights/, else the bundled model.
model=()
find_model() {
    local weights stem cfg
    for weights in weights/*.weights "$shared"/weights/yolo-fastest-1.1-coco/yolo-fastest-1.1.weights; do
        [ -f "$weights" ] || continue
        stem=$(basename "$weights" .weights)
        for cfg in "cfg/$stem.cfg" "${weights%.weights}.cfg"; do
            if [ -f "$cfg" ]; then
                model=(--cfg "$cfg" --weights "$weights")
                names=$(find "$(dirname "$weights")" cfg data -maxdepth 1 -name '*.names' 2>/dev/null | head -n 1)
                [ -n "$names" ] && model+=(--names "$names")
                return 0
            fi
        done
    done
    return 1
}
if ! find_model; then
    echo "demo: no .weights with a matching .cfg found." >&2
    echo "demo: fetch one first, e.g.: scripts/get-weights.sh yolov4-tiny" >&2
    exit 1
fi

out=runs/demo
echo "+ ./yolo detect ${inputs[*]} ${model[*]} --out $out"
./yolo detect "${inputs[@]}" "${model[@]}" --out "$out"
echo "Annotated pictures: $PWD/$out"
