#!/usr/bin/env bash
# Find objects in sample pictures: scripts/demo.sh [PICTURE-OR-FOLDER...]
# Installs what is missing, builds, and runs `yolo detect` with the model it takes by itself: official weights if
# they lie in weights/, else the bundled one. Without pictures to look at, those that suit the model are taken.
# Needs no network once the packages are there.
set -eu
cd "$(dirname "$0")/.."
shared=${YOLO_SHARED:-../shared}

scripts/setup.sh
make -s -j"$(nproc 2>/dev/null || echo 2)"

# The bundled model knows the rendered scenes of data/tabletop; official weights know photos.
folders=("$shared/data/photos" data/photos data/tabletop/images/val)
if [ -z "$(find weights -maxdepth 1 -name '*.weights' ! -name 'tabletop.weights' 2>/dev/null | head -n 1)" ]; then
    folders=(data/tabletop/images/val)
fi
inputs=("$@")
for folder in "${folders[@]}"; do
    if [ ${#inputs[@]} -eq 0 ] && [ -d "$folder" ]; then
        inputs=("$folder")
    fi
done

out=runs/demo
echo "+ ./yolo detect ${inputs[*]} --out $out"
./yolo detect "${inputs[@]}" --out "$out"
echo "Annotated pictures: $PWD/$out"
