#!/usr/bin/env bash
# Fetch published Darknet weights into weights/ (which one: the table in README.md):
#   scripts/get-weights.sh NAME...      e.g. yolo-fastest-1.1-xl, yolov4-tiny, yolov4.conv.137
#   scripts/get-weights.sh --list       names, sizes, where they come from
# An interrupted download resumes. A file gets its final name only after its size (20 bytes + 4 for each
# parameter the cfg has), its header and its checksum are right. Checksums published by others (Intel's
# Open Model Zoo, OpenCV's test data, Arch Linux packages) are built in where they exist, and that of files
# which have been run here (their address names a commit); for the rest the SHA-256 of the first download is
# noted in weights/SHA256SUMS and later downloads are held to it.
# The network's .cfg and COCO's class names come along if cfg/ and data/ lack them.
# Environment: YOLO_WEIGHTS_MIRROR=URL takes the place of everything before the file name.
set -eu
cd "$(dirname "$0")/.."

alexey=https://github.com/AlexeyAB/darknet/releases/download
redmon=https://pjreddie.com/media/files
fastest=https://raw.githubusercontent.com/dog-qiuqiu/Yolo-Fastest/96a2900d163196c396e73f3fdab04ca4dd9a2f70/ModelZoo/yolo-fastest-1.1_coco
texts=https://raw.githubusercontent.com/AlexeyAB/darknet/59596d7880f6504768df41d6daa586f5cb2b932f
# name, bytes, address, checksum ("-": none published that we know)
table="
yolov4 257717640 $alexey/darknet_yolo_v3_optimal/yolov4.weights sha256:e8a4f6c62188738d86dc6898d82724ec0964d0eb9d2ae0f0a9d53d65d108d562
yolov4-tiny 24251276 $alexey/darknet_yolo_v4_pre/yolov4-tiny.weights sha256:cf9fbfd0f6d4869b35762f56100f50ed05268084078805f0e7989efe5bb8ca87
yolov4-csp 211944840 $alexey/darknet_yolo_v4_pre/yolov4-csp.weights -
yolov4-csp-swish 211944840 $alexey/darknet_yolo_v4_pre/yolov4-csp-swish.weights -
yolov4-csp-x-swish 399388168 $alexey/darknet_yolo_v4_pre/yolov4-csp-x-swish.weights -
yolov4x-mish 399388168 $alexey/darknet_yolo_v4_pre/yolov4x-mish.weights sha1:a6f2879af2241de2e9730d317a55db6afd0af00b
yolov4-p5 283669892 $alexey/darknet_yolo_v4_pre/yolov4-p5.weights -
yolov4-p6 510868180 $alexey/darknet_yolo_v4_pre/yolov4-p6.weights -
yolov7 147898248 $alexey/yolov4/yolov7.weights -
yolov7-tiny 24967560 $alexey/yolov4/yolov7-tiny.weights -
yolo-fastest-1.1 1384268 $fastest/yolo-fastest-1.1.weights sha256:1c445c42bbd6df63edea2cc69f99667b5650d663ca11e34b116240740cd42890
yolo-fastest-1.1-xl 3693964 $fastest/yolo-fastest-1.1-xl.weights sha256:fac5fb41786c1f38f04972a658443b189f48720d7d117f9a044100e98a35b0c5
yolov3 248007048 $redmon/yolov3.weights sha256:523e4e69e1d015393a1b0a441cef1d9c7659e3eb2d7e15f793f060a21b32f297
yolov3-spp 252209544 $redmon/yolov3-spp.weights sha256:87a1e8c85c763316f34e428f2295e1db9ed4abcec59dd9544f8052f50de327b4
yolov3-tiny 35434956 $redmon/yolov3-tiny.weights sha256:dccea06f59b781ec1234ddf8d1e94b9519a97f4245748a7d4db75d5b7080a42c
yolov4.conv.137 170038676 $alexey/darknet_yolo_v3_optimal/yolov4.conv.137 -
yolov4-tiny.conv.29 19789716 $alexey/darknet_yolo_v4_pre/yolov4-tiny.conv.29 -
yolov4-csp.conv.142 146548116 $alexey/darknet_yolo_v4_pre/yolov4-csp.conv.142 -
yolov4-csp-swish.conv.164 185312660 $alexey/darknet_yolo_v4_pre/yolov4-csp-swish.conv.164 -
yolov4x-mish.conv.166 277307668 $alexey/darknet_yolo_v4_pre/yolov4x-mish.conv.166 -
yolov4-p5.conv.232 256427412 $alexey/darknet_yolo_v4_pre/yolov4-p5.conv.232 -
yolov4-p6.conv.289 463340948 $alexey/darknet_yolo_v4_pre/yolov4-p6.conv.289 -
darknet53.conv.74 162482580 $redmon/darknet53.conv.74 -
"

usage() {
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
}

die() {
    echo "get-weights: $*" >&2
    exit 1
}

list() {
    local name bytes address checksum
    while read -r name bytes address checksum; do
        if [ -n "$name" ]; then
            printf '%-26s %4d.%d MB  %-9s %s\n' "$name" $(((bytes + 50000) / 1000000)) $(((bytes + 50000) / 100000 % 10)) \
                "${checksum%%:*}" "$address"
        fi
    done <<<"$table"
}

fetch() { # ADDRESS FILE: resumes if FILE is there
    if command -v curl >/dev/null; then
        local status=0
        curl -fL --retry 3 --connect-timeout 20 -C - -o "$2" "$1" || status=$?
        if [ "$status" -eq 33 ]; then # the server cannot resume: once more from the start
            rm -f "$2"
            status=0
            curl -fL --retry 3 --connect-timeout 20 -o "$2" "$1" || status=$?
        fi
        return "$status"
    elif command -v wget >/dev/null; then
        wget --tries=3 --timeout=20 -c -O "$2" "$1"
    else
        die "neither curl nor wget is installed"
    fi
}

size_of() {
    wc -c <"$1" | tr -d ' '
}

# Major and minor version must be 0 and 1 or 2: a web page saved in its place fails here.
has_header() {
    [ "$(od -An -tu4 -N8 "$1" | awk '{ print $1 == 0 && ($2 == 1 || $2 == 2) }')" = 1 ]
}

checksum_is() { # FILE KIND:DIGEST
    local digest
    digest=$("${2%%:*}sum" "$1" | cut -d ' ' -f 1)
    [ "$digest" = "${2#*:}" ]
}

verify() { # FILE FINAL-NAME BYTES CHECKSUM: a reason on stdout and status 1 if it is not the file
    local noted
    if [ "$(size_of "$1")" != "$3" ]; then
        echo "it has $(size_of "$1") bytes, expected $3"
        return 1
    fi
    if ! has_header "$1"; then
        echo "its header is not that of a Darknet weights file"
        return 1
    fi
    if [ "$4" != - ] && ! checksum_is "$1" "$4"; then
        echo "its ${4%%:*} is not ${4#*:}"
        return 1
    fi
    noted=$(awk -v f="$2" '$2 == f { print $1 }' weights/SHA256SUMS 2>/dev/null | tail -n 1)
    if [ -n "$noted" ] && ! checksum_is "$1" "sha256:$noted"; then
        echo "its sha256 differs from the one noted in weights/SHA256SUMS"
        return 1
    fi
}

fetch_text() { # ADDRESS FILE: unless it is there; a missing one is only a warning
    local address=$1
    if [ -n "${YOLO_WEIGHTS_MIRROR:-}" ]; then
        address=${YOLO_WEIGHTS_MIRROR%/}/${1##*/}
    fi
    if [ ! -f "$2" ]; then
        mkdir -p "$(dirname "$2")"
        rm -f "$2.part"
        if fetch "$address" "$2.part" && [ -s "$2.part" ]; then
            mv "$2.part" "$2"
            echo "$2: fetched from $address"
        else
            rm -f "$2.part"
            echo "get-weights: warning: could not fetch $address; put it to $2 by hand" >&2
        fi
    fi
}

# The network itself as a check of the arrangement, where program and cfg are at hand.
check_structure() { # FILE NAME
    local cfg=cfg/${2%%.conv.*}.cfg
    if [ -x ./yolo ] && [ -f "$cfg" ]; then
        ./yolo info --cfg "$cfg" --weights "$1" -q >/dev/null
    fi
}

get() { # NAME BYTES ADDRESS CHECKSUM
    local file=$1 part reason address=$3
    case "$1" in
    *.conv.*) ;;
    *) file=$1.weights ;;
    esac
    part=weights/$file.part
    if [ -n "${YOLO_WEIGHTS_MIRROR:-}" ]; then
        address=${YOLO_WEIGHTS_MIRROR%/}/${3##*/}
    fi
    if [ -f "weights/$file" ]; then
        reason=$(verify "weights/$file" "$file" "$2" "$4") ||
            die "weights/$file is there, but $reason; move it away to fetch it again"
        echo "weights/$file is already there"
        return
    fi
    if [ ! -f "$part" ] || [ "$(size_of "$part")" != "$2" ]; then
        if ! fetch "$address" "$part"; then
            echo "get-weights: could not fetch $address (offline? then copy the file to weights/$file by hand;" \
                "what has arrived is kept in $part and will be resumed)" >&2
            return 1
        fi
    fi
    if ! reason=$(verify "$part" "$file" "$2" "$4"); then
        rm -f "$part"
        die "$file: $reason; dropped"
    fi
    case "$3" in # the cfg lies beside the weights, or with Darknet's others
    "$fastest"/*) fetch_text "${3%.weights}.cfg" "cfg/$1.cfg" ;;
    *) fetch_text "$texts/cfg/${1%%.conv.*}.cfg" "cfg/${1%%.conv.*}.cfg" ;;
    esac
    if ! compgen -G '*/coco.names' >/dev/null; then
        fetch_text "$texts/data/coco.names" data/coco.names
    fi
    if ! check_structure "$part" "$1"; then
        rm -f "$part"
        die "$file: yolo info rejects it; dropped"
    fi
    if ! grep -qs " $file\$" weights/SHA256SUMS; then
        (cd weights && sha256sum "$file.part" | sed 's/\.part$//') >>weights/SHA256SUMS
    fi
    mv "$part" "weights/$file"
    if [ "$4" = - ]; then
        echo "weights/$file: size and header are right; no checksum is known, this one is noted"
    else
        echo "weights/$file: size, header and ${4%%:*} are right"
    fi
}

[ $# -gt 0 ] || {
    usage >&2
    exit 2
}
case "$1" in
-h | --help)
    usage
    exit 0
    ;;
--list)
    list
    exit 0
    ;;
esac

mkdir -p weights
status=0
for wanted in "$@"; do
    wanted=${wanted%.weights}
    if row=$(grep -F "$wanted " <<<"$table" | awk -v n="$wanted" '$1 == n' | grep .); then
        # shellcheck disable=SC2086 # four words without blanks
        get $row || status=1
    else
        echo "get-weights: no $wanted (see --list)" >&2
        status=2
    fi
done
exit "$status"
