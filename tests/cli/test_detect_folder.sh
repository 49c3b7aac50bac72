#!/usr/bin/env bash
# scripts/detect_folder.sh: places of its own, resumed, without its own output.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

job=$root/scripts/detect_folder.sh
export YOLO
model=(-- --cfg "$root/cfg/tabletop.cfg" --weights "$root/weights/tabletop.weights" --names "$root/cfg/tabletop.names")
cd "$work" || exit 1
prepare "$YOLO" synth set --train 4 --val 0 --size 96x96 -q
pictures=("$work"/set/images/train/*.jpg)
records() { # FILE PATTERN COUNT
    [ "$(grep -cE -- "$2" "$1")" -eq "$3" ] || fault "$1 has not $3 lines of /$2/"
}

# ---- resumed ----
mkdir -p 'a b/sub' "a b/sub/in"$'\n'"two"
cp "${pictures[0]}" 'a b/1.jpg'
cp "${pictures[1]}" 'a b/sub/1.jpg'
cp "${pictures[2]}" "a b/sub/in"$'\n'"two/1.jpg"
echo broken >'a b/2.jpg'
printf '%s' '","error":"' >'a b/","error":".txt'
cp "${pictures[3]}" 'a b/","error":".jpg'
lines='batch/a b/detections.jsonl'
try "a folder" "$job" -o batch 'a b' "${model[@]}"
status 3; out_empty; err 'a b: start, results in batch/a b$'; err 'all done, status 3; results in batch$'
holds test -s 'batch/a b/sub/1.jpg' -a -s batch/job.log -a ! -e 'batch/a b/2.jpg'
records "$lines" . 5
records "$lines" '/a b/2.jpg","error":"' 1
cp "$lines" first
try "again: nothing is done or told twice" "$job" -o batch './a b/' "${model[@]}" --conf .9
status 3; holds diff <(sort first) <(sort "$lines")
rm 'batch/a b/1.jpg'
cp "${pictures[0]}" 'a b/2.jpg'
try "what has changed" "$job" -o batch "$work/a b" "${model[@]}"
status 0
records "$lines" . 6
records "$lines" '","error":"[^"]' 0
records "$lines" '/a b/2.jpg","width"' 1

# ---- places ----
mkdir -p "w/${work#/}/x/p" w/sub x/p
cp "${pictures[0]}" x/p/1.jpg
cp "${pictures[1]}" "w/${work#/}/x/p/1.jpg"
cd w || exit 1
try "one path, once from the root" "$job" -o ../places "$work/x/p" "${work#/}/x/p" "${model[@]}"
status 0; records "../places/_root$work/x/p/detections.jsonl" "\"$work/x/p/1.jpg\"" 1
records "../places/${work#/}/x/p/detections.jsonl" "\"$work/w$work/x/p/1.jpg\"" 1
mkdir -p "_root$work/x/p"
cp "${pictures[2]}" "_root$work/x/p/1.jpg"
try "a folder called as our own" "$job" -o ../places2 "$work/x/p" "_root$work/x/p" . "${model[@]}"
status 0; holds test "$(cat ../places2/detections.jsonl "../places2/_root_$work/x/p/detections.jsonl" \
    "../places2/_root$work/x/p/detections.jsonl" | wc -l)" -eq 3
rm -r _root
ln -s ../x/p link
try "two names of one folder share theirs" "$job" -o ../places3 link ../x/p ../x/../x/p/ "${model[@]}"
status 0; holds test "$(wc -l <"../places3/_root$work/x/p/detections.jsonl")" -eq 1
holds test "$(find ../places3 -name '*.jpg' | wc -l)" -eq 1

# ---- its own output ----
mkdir -p "$work/v/w"
cd "$work/v/w" || exit 1
cp "${pictures[0]}" 1.jpg
cp "${pictures[1]}" 2.jpg
cp "${pictures[2]}" ../3.jpg
for round in first second; do
    try "output inside of one of two folders, $round run" "$job" -o ../under . .. "${model[@]}"
    status 0; holds test "$(cat ../under/detections.jsonl "../under/_root$work/v/detections.jsonl" | wc -l)" -eq 5
    holds test "$(find ../under -name '*.jpg' | wc -l)" -eq 5
done
cd ..
mkdir inner
cp "${pictures[0]}" inner/
try "output around its folder" "$job" -o .. inner "${model[@]}"
status 0; holds test "$(wc -l <../inner/detections.jsonl)" -eq 1

# ---- wrong ----
try "no folder" "$job"
status 2; err 'detect_folder.sh .*FOLDER'
try "an option of yolo in front of --" "$job" --conf .5 .
status 2; err 'unknown option --conf'
try "not a folder" "$job" -o under none
status 3; err 'none: not a folder'
finish
