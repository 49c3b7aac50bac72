#!/usr/bin/env bash
# Folders that may not be listed are not taken for empty ones: one line that says so. Root may list everything, so
# the program runs as somebody else.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$work" || exit 1
nobody=()
if [ "$(id -u)" -eq 0 ]; then
    nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
    if ! "${nobody[@]}" true 2>/dev/null; then
        skip "unreadable folders" "root reads everything, and there is no setpriv"
        finish
    fi
fi
cp "$YOLO" yolo # where nobody can run it
mkdir home model open && chmod 755 "$work" yolo && chmod 777 home
cp "$root/cfg/yolov4-tiny.cfg" "$root/cfg/tabletop.cfg" "$root/weights/tabletop.weights" model/
printf 'a\nb\nc\nd\ne\n' >model/five.names
printf 'cat\ndog\n' >two.names
prepare ./yolo synth set --train 3 --val 2 --size 64x64 -q
as_nobody() { # NAME ARGUMENTS...
    local name=$1
    shift
    try "$name" env -C "$work/home" "${nobody[@]}" "$work/yolo" "$@"
}

as_nobody "a model's folder" detect --cfg ../model/tabletop.cfg --weights ../model/tabletop.weights ../set/images/val
status 0; err 'names: ../model/five.names'
chmod 311 model
as_nobody "a model's folder that may not be listed" detect --cfg ../model/tabletop.cfg --weights ../model/tabletop.weights \
    --out out ../set/images/val
status 1; out_empty; one_error '../model/: cannot open the folder: Permission denied .*--names FILE'
as_nobody "with names nothing is looked for" detect --cfg ../model/tabletop.cfg --weights ../model/tabletop.weights \
    --names ../two.names --out out ../set/images/val
status 2; one_error '2 names, but the network'

mkdir -p data/train data/valid data/lost+found
cp set/images/train/*.jpg data/train/
cp set/images/val/*.jpg data/valid/
for file in data/*/*.jpg; do echo '0 .5 .5 .2 .2' >"${file%.jpg}.txt"; done
init() { # NAME
    as_nobody "$1" init --names ../two.names --base ../model/yolov4-tiny.cfg --weights none --data-dir ../data --out "new$1"
}
chmod 0 data/lost+found
init lost
status 0; err 'data/lost\+found: cannot open the folder: Permission denied \(left out\)'; out '3 pictures'
chmod 0 data/valid
init valid
status 1; one_error 'data/valid: cannot open the folder: Permission denied'; holds test ! -e home/newvalid
chmod 755 data/valid
chmod 311 data
init root
status 1; one_error 'data: cannot open the folder: Permission denied'; holds test ! -e home/newroot
chmod -R 755 data model

mkdir home/full && touch home/full/own && chmod 311 home/full
[ "$(id -u)" -eq 0 ] && chown 65534 home/full
as_nobody "a folder to write to" synth full --train 1 --val 1 --size 64x64
status 1; one_error 'full: cannot open the folder: Permission denied'
finish
