# shellcheck shell=bash
# The data sets that trainings are measured on; to be sourced from the repository's root, with $yolo and $shared set.
#   bccd, raccoon, aquarium   real pictures, from ../shared
#   objects                   rendered: mug, die, bottle ...

# FOLDER gets images (or a link to them), labels, train.txt, val.txt and NAME.names.
prepare_set() { # SET FOLDER WxH (of what is rendered)
    local set=$1 folder=$2 size=$3
    [ ! -e "$folder/val.txt" ] || return 0
    case "$set" in
    objects)
        "${yolo:?}" synth "$folder" --classes target --train 400 --val 200 --size "$size" --seed 9 -q >/dev/null
        "${yolo:?}" synth "$folder/unseen" --classes target --train 0 --val 300 --size "$size" --seed 10 -q >/dev/null
        ;;
    aquarium)
        mkdir -p "$folder"
        ln -sfn "$(realpath "${shared:?}/data/$set/images")" "$folder/images"
        ln -sfn "$(realpath "${shared:?}/data/$set/labels")" "$folder/labels"
        cp "$shared/data/$set"/{train,val,test}.txt "$folder/"
        printf '%s\n' fish jellyfish penguin puffin shark starfish stingray >"$folder/$set.names"
        ;;
    *)
        python3 scripts/voc_to_yolo.py --images "$shared/data/$set/images" --annotations "$shared/data/$set/annotations" \
            --lists "$shared/data/$set"/t*.txt "$shared/data/$set/val.txt" --pixels-from 0 --out "$folder"
        ;;
    esac
}
