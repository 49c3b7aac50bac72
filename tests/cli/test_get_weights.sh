#!/usr/bin/env bash
# scripts/get-weights.sh without a network: a folder stands in for the servers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

home=$work/home mirror=$work/mirror
mkdir -p "$home/scripts" "$home/cfg" "$mirror"
cp scripts/get-weights.sh "$home/scripts/"
cp "$YOLO" "$home/yolo"
get=(YOLO_WEIGHTS_MIRROR="file://$mirror" "$home/scripts/get-weights.sh")

# A bare machine has no curl, and wget does not read file://.
if ! command -v curl >/dev/null; then
    mkdir "$work/bin"
    cat >"$work/bin/curl" <<'STUB'
#!/bin/sh
while [ $# -gt 1 ]; do
    case $1 in
    -o) out=$2; shift ;;
    --retry | --connect-timeout | -C) shift ;;
    esac
    shift
done
[ -r "${1#file://}" ] || exit 37
cp "${1#file://}" "$out"
STUB
    chmod +x "$work/bin/curl"
    PATH=$work/bin:$PATH
fi

# Every whole model that can be fetched is taken by itself afterwards, and has names for its classes.
try "the list" "$home/scripts/get-weights.sh" --list
status 0
for name in yolov4 yolov4-tiny yolov7 yolov7-tiny yolo-fastest-1.1 yolo-fastest-1.1-xl yolov3-tiny; do
    out "^$name +[0-9]+\.[0-9] MB .* https://[^ ]+/$name\.weights$"
done
out '^yolo-fastest-1\.1 +1\.4 MB'; out '^yolo-fastest-1\.1-xl +3\.7 MB'
stems=$(awk '!/\.conv\./ { print $1 }' "$work/out")
for i in $(seq 80); do echo "thing$i"; done >"$home/cfg/coco.names"
printf '[net]\nwidth=32\nheight=32\nchannels=3\n[convolutional]\nfilters=255\nsize=1\nactivation=linear\n[yolo]\nclasses=80\nnum=3\nmask=0,1,2\nanchors=1,1,2,2,3,3\n' \
    >"$work/eighty.cfg"
{ printf '\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'; head -c $(((255 + 255 * 3) * 4)) /dev/zero; } >"$work/eighty.weights"
mkdir "$home/weights"
for stem in $stems; do
    cp "$work/eighty.cfg" "$home/cfg/$stem.cfg"
    cp "$work/eighty.weights" "$home/weights/$stem.weights"
    try "$stem is found once it is there" bash -c "cd '$home' && ./yolo bench --runs 1"
    status 0; err "weights weights/$stem.weights, 80 classes, names cfg/coco.names"
    rm "$home/cfg/$stem.cfg" "$home/weights/$stem.weights"
done
rm "$home/cfg/coco.names"

try "an unknown name" "${get[@]}" yolov4-huge
status 2; err 'no yolov4-huge \(see --list\)'
try "without a network" "${get[@]}" yolo-fastest-1.1
status 1; err 'could not fetch file:.*/yolo-fastest-1.1.weights \(offline\?'
holds test ! -e "$home/weights/yolo-fastest-1.1.weights"

echo '<html>not found</html>' >"$mirror/yolo-fastest-1.1.weights"
try "a web page in place of the weights" "${get[@]}" yolo-fastest-1.1
status 1; err 'it has 23 bytes, expected 1384268; dropped'
{ printf '\0\0\0\0\2\0\0\0'; head -c 1384260 /dev/zero; } >"$mirror/yolo-fastest-1.1.weights"
try "other weights of the same size" "${get[@]}" yolo-fastest-1.1
status 1; err 'its sha256 is not 1c445c42.*dropped'
holds test ! -e "$home/weights/yolo-fastest-1.1.weights"; holds test ! -e "$home/weights/yolo-fastest-1.1.weights.part"

if [ -d "$SHARED/weights/yolo-fastest-1.1-coco" ]; then
    cp "$SHARED"/weights/yolo-fastest-1.1-coco/{*.cfg,*.weights,coco.names} "$mirror/"
    chmod u+w "$mirror"/*
    for name in yolo-fastest-1.1 yolo-fastest-1.1-xl; do
        try "$name with its cfg and names" "${get[@]}" "$name"
        status 0; out "weights/$name.weights: size, header and sha256 are right"; out "cfg/$name.cfg: fetched from"
        try "$name again" "${get[@]}" "$name"
        status 0; out "weights/$name.weights is already there"
    done
    try "which finds a dog" bash -c "cd '$home' && ./yolo detect '$SHARED/data/photos/dog.jpg' --no-save --format csv"
    status 0; out 'dog'; err 'weights weights/yolo-fastest-1.1-xl.weights, 80 classes, names data/coco.names'
    head -c 1000000 "$mirror/yolo-fastest-1.1-xl.weights" >"$home/weights/yolo-fastest-1.1-xl.weights.part"
    rm "$home/weights/yolo-fastest-1.1-xl.weights"
    try "an interrupted download goes on" "${get[@]}" yolo-fastest-1.1-xl
    status 0; out "weights/yolo-fastest-1.1-xl.weights: size, header and sha256 are right"
else
    skip "Yolo-Fastest fetched and run" "no shared weights (set YOLO_SHARED)"
fi
finish
