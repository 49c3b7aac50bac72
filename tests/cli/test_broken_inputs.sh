#!/usr/bin/env bash
# Broken files of every kind: one line that names the file (and the line, where there are lines) and the
# reason, exit status 2, or 3 where other inputs went on, and nothing on stdout that looks like a result.
# Runs on the small networks of tests/golden.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cfg=$root/tests/golden/tiny.cfg
weights=$root/tests/golden/tiny.weights
model=(--cfg "$cfg" --weights "$weights" --threads 1)
b=$work/broken
mkdir -p "$b"
cd "$b" || exit 1
good=$b/good.ppm
{
    printf 'P6 32 32 255\n'
    head -c 3072 "$weights"
} >"$good"

noise() { # BYTES: the same each time
    tail -c +4000 "$weights" | head -c "$1"
}

# ---- cfg ----

bad_cfg() { # NAME REGEX behind the file's name; the text comes on stdin
    cat >"$1.cfg"
    try "cfg: $1" "$YOLO" detect "$good" --cfg "$1.cfg" --weights "$weights" --format json --no-save
    status 2
    one_error "$1\\.cfg$2"
    out_empty
    try "cfg: $1, info" "$YOLO" info --cfg "$1.cfg"
    status 2
    one_error "$1\\.cfg$2"
    out_empty
}
edit() { sed "$@" "$cfg"; }
bad_cfg empty ': ' </dev/null
bad_cfg comment ': ' <<<'# nothing but a comment'
bad_cfg noise ':1: ' < <(noise 5000)
bad_cfg zeros ':1: ' < <(head -c 4096 /dev/zero)
bad_cfg cut ':[0-9]+: ' < <(head -c 1010 "$cfg")
bad_cfg no-net ':[0-9]+: ' < <(edit '1,7d')
bad_cfg only-net ':[0-9]*:? ' < <(head -n 7 "$cfg")
bad_cfg open-bracket ':9: ' < <(edit '9s/.*/[convolutional/')
bad_cfg unknown-section ':9: ' < <(edit '9s/.*/[convolutionl]/')
bad_cfg no-value ':11: ' < <(edit '11s/.*/filters=/')
bad_cfg no-number ':11: ' < <(edit '11s/.*/filters=eight/')
bad_cfg negative ':11: ' < <(edit '11s/.*/filters=-8/')
bad_cfg zero ':11: ' < <(edit '11s/.*/filters=0/')
bad_cfg huge ':11: ' < <(edit '11s/.*/filters=99999999999999999999/')
bad_cfg too-large ':11: ' < <(edit '11s/.*/filters=2147483647/')
bad_cfg zero-stride ':13: ' < <(edit '13s/.*/stride=0/')
bad_cfg zero-width ':5: ' < <(edit '5s/.*/width=0/')
bad_cfg negative-height ':6: ' < <(edit '6s/.*/height=-32/')
bad_cfg huge-width ':5: ' < <(edit '5s/.*/width=2000000000/')
bad_cfg forward-route ':125: ' < <(edit '125s/.*/layers=-1,40/')
bad_cfg self-route ':125: ' < <(edit '125s/.*/layers=0/;124s/.*/[route]/;125s/0/99999/')
bad_cfg before-the-first ':125: ' < <(edit '125s/.*/layers=-1,-99/')
bad_cfg empty-route ':12[45]: ' < <(edit '125d')
bad_cfg wrong-filters ':[0-9]+: ' < <(edit '136s/.*/filters=22/')
bad_cfg negative-classes ':145: ' < <(edit '145s/.*/classes=-2/')
bad_cfg mask-outside ':143: ' < <(edit '143s/.*/mask=1,2,9/')
bad_cfg odd-anchors ':14[46]: ' < <(edit '144s/.*/anchors=4,6, 7/')
bad_cfg nan ':147: ' < <(edit '147s/.*/scale_x_y=nan/')
bad_cfg unknown-activation ':15: ' < <(edit '15s/.*/activation=leeky/')
bad_cfg anchor-twice ':143: ' < <(edit '143s/.*/mask=1,2,1/')
bad_cfg long-line ':[0-9]+: ' < <(
    head -n 10 "$cfg"
    head -c 300000 /dev/zero | tr '\0' 7
)

# ---- channels that no picture has ----

printf 'a\nb\n' >two.names
printf 'train=list.txt\nvalid=list.txt\nnames=two.names\nclasses=2\n' >set.data
echo "$good" >list.txt
echo '0 .5 .5 .5 .5' >good.txt
for channels in 2 4 6; do
    edit "s/^channels=.*/channels=$channels/" >$channels.cfg
    floats=$("$YOLO" info --cfg $channels.cfg --format json -q | grep -o '"parameters":[^,]*' | head -n 1 | tr -dc 0-9)
    {
        head -c 20 "$weights"
        head -c $((4 * floats)) /dev/zero
    } >$channels.weights
    network=(--cfg "$channels.cfg" --weights "$channels.weights")
    refuse() { # COMMAND ARGUMENT...
        try "$channels channels: $1" "$YOLO" "$@"
        status 2
        one_error "$channels\\.cfg:[0-9]+: \\[net\\] channels: pictures have 3 channels or 1, not $channels"
        out_empty
    }
    refuse detect "$good" "${network[@]}" --no-save
    refuse eval --data set.data "${network[@]}"
    refuse dump "$good" "${network[@]}" --out never
    refuse train --data set.data "${network[@]}" --out never
    refuse check set.data --cfg $channels.cfg
    refuse init --names two.names --base ./$channels.cfg --out never
    holds test ! -e never
    try "$channels channels: bench" "$YOLO" bench "${network[@]}" --runs 1 --warmup 0
    status 0
done

# ---- weights ----

bad_weights() { # NAME REGEX; the bytes come on stdin
    cat >"$1.weights"
    try "weights: $1" "$YOLO" detect "$good" --cfg "$cfg" --weights "$1.weights" --format json --no-save
    status 2
    one_error "$1\\.weights: $2"
    out_empty
}
header() { printf '%b' "$1"; }
bad_weights empty '.*bytes' </dev/null
bad_weights half-header '' < <(head -c 10 "$weights")
bad_weights header-only '' < <(head -c 20 "$weights")
bad_weights cut-in-a-layer '.*layer [0-9]+' < <(head -c 5000 "$weights")
bad_weights one-byte-short '.*layer' < <(head -c -1 "$weights")
bad_weights one-float-short '.*layer' < <(head -c -4 "$weights")
bad_weights one-byte-over '' < <(cat "$weights" && printf x)
bad_weights one-float-over '' < <(cat "$weights" && printf abcd)
bad_weights twice '' < <(cat "$weights" "$weights")
bad_weights noise '' < <(noise 9000)
bad_weights text 'not a Darknet .weights file but a text' < <(cat "$cfg")
bad_weights html 'not a Darknet .weights file but an HTML' <<<'<!DOCTYPE html><html><body>404: Not Found</body></html>'
bad_weights zip 'not a Darknet .weights file but a zip archive .PyTorch' < <(printf 'PK\003\004\0\0\010\010' && noise 300)
bad_weights lfs 'not a Darknet .weights file but a git-lfs pointer' <<'END'
version https://git-lfs.github.com/spec/v1
oid sha256:0000000000000000000000000000000000000000000000000000000000000000
size 9000
END
bad_weights zeros '' < <(head -c 100000 /dev/zero)
bad_weights future-version '.*version' < <(header '\0\0\0\01\0\0\0\0\0\0\0\0' && tail -c +13 "$weights")
bad_weights negative-version '.*version' < <(header '\0377\0377\0377\0377\0\0\0\0\0\0\0\0' && tail -c +13 "$weights")
bad_weights other-network '' <"$root/tests/golden/csp.weights"
"$YOLO" partial --cfg "$cfg" --weights "$weights" --layers 3 --out three.weights -q
bad_weights on-a-layer-border 'ends after layer [0-9]+ .*start for training' <three.weights
try "weights: a folder" "$YOLO" detect "$good" --cfg "$cfg" --weights "$b" --format json --no-save
status 2
one_error 'broken: '
out_empty

# ---- names ----

bad_names() { # NAME REGEX behind the file's name; the text comes on stdin
    cat >"$1.names"
    try "names: $1" "$YOLO" detect "$good" "${model[@]}" --names "$1.names" --format json --no-save
    status 2
    one_error "$1\\.names$2"
    out_empty
}
bad_names empty ': ' </dev/null
bad_names blank ': ' < <(printf '\n\n  \n\t\n')
bad_names too-few ': 1 name.* 2 classes' <<<'one'
bad_names too-many ': 3 names.* 2 classes' < <(printf 'a\nb\nc\n')
bad_names gap ':2: ' < <(printf 'a\n\nb\n')
bad_names gap-at-the-start ':1: ' < <(printf '\nb\n')
bad_names noise ':[0-9]+: ' < <(noise 3000)
bad_names zeros ':1: ' < <(head -c 100 /dev/zero)
bad_names zero-inside ':2: ' < <(printf 'a\nb\0c\n')
bad_names utf-16 ': UTF-16 text .*iconv' < <(printf '\377\376a\0\n\0b\0\n\0')
bad_names escape ':2: ' < <(printf 'a\n\033[31mb\n')
bad_names endless-line ':1: ' < <(head -c 100000 /dev/zero | tr '\0' a && printf '\nb\n')
bad_names picture ':[0-9]+: ' < <(printf '\211PNG\r\n\032\n\0\0\0\r')
bad_names too-large ': .*limit' < <(head -c 17000000 /dev/zero | tr '\0' '\n')
try "names: a folder" "$YOLO" detect "$good" "${model[@]}" --names "$b" --format json --no-save
status 2
one_error 'broken: '
out_empty
try "names: not there" "$YOLO" detect "$good" "${model[@]}" --names none.names --format json --no-save
status 2
one_error 'none.names'
out_empty

# ---- lists: the good picture behind them is found in any case ----

bad_list() { # NAME FAILURES REGEX behind the list's name; the text comes on stdin
    cat >"$1.txt"
    try "list: $1" "$YOLO" detect "$1.txt" "$good" "${model[@]}" --format jsonl --no-save
    status 3
    err "^yolo: error: $1\\.txt$3"
    holds [ "$(grep -c '^yolo: error: ' "$work/err")" -eq "$2" ]
    holds [ "$(grep -c '"objects"' "$work/out")" -eq 1 ]
    holds [ "$(wc -l <"$work/out")" -eq $(($2 + 1)) ]
    holds grep -q 'good.ppm","width":32' "$work/out"
}
bad_list noise 10 ':[0-9]+: .*skipped' < <(for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do noise 300 | tr '\n' '\001' && echo; done)
bad_list zeros 1 ':1: control' < <(head -c 2000 /dev/zero)
bad_list missing 1 ':1: .*none.jpg' <<<'none.jpg'
bad_list some-missing 2 ':3: .*no2.jpg' < <(printf '\nno1.jpg\nno2.jpg\n')
bad_list long-line 1 ':1: .*bytes' < <(head -c 5000 /dev/zero | tr '\0' a)
bad_list endless-line 1 ':1: .*skipped' < <(head -c 1100000 /dev/zero | tr '\0' a)
bad_list folder-line 1 ':1: ' <<<"$root"
bad_list control-characters 1 ':1: control' < <(printf 'a\001b.jpg\n')
bad_list utf-16 1 ':1: no list of pictures: UTF-16 text' < <(printf '\377\376a\0.\0j\0p\0g\0')
bad_list itself 1 ':1: ' <<<'itself.txt'
bad_list device 1 ':1: ' <<<'/dev/zero'
bad_list csv 2 ':1: ' < <(printf 'a.jpg,1,2\nb.jpg;3\n')
bad_list cfg 1 ':1: .*cfg' <<<"$cfg"

# ---- a pipe where a file belongs: nobody writes to it, so that reading it would wait for ever ----

mkfifo pipe pipe.json pipe.data pipe.cfg
printf '{"images": [{"id": 1, "file_name": "good.ppm", "width": 32, "height": 32}], "annotations": [],
 "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}' >one.json
printf 'a\nb\n' >two.names
mkdir -p piped
echo '0 .5 .5 .2 .2' >good.txt
ls good.ppm >good.list
mkfifo piped/train.log
pipe() { # NAME PIPE COMMAND...
    local name=$1 which=$2
    shift 2
    try "pipe: $name" timeout 20 "$@"
    status 2
    one_error "$which: not a regular file but a pipe"
    out_empty
}
pipe cfg pipe.cfg "$YOLO" info --cfg pipe.cfg
pipe weights pipe "$YOLO" detect good.ppm --cfg "$cfg" --weights pipe --no-save
pipe "weights of partial" pipe "$YOLO" partial --cfg "$cfg" --weights pipe --layers 3 --out never.weights
pipe names pipe "$YOLO" detect good.ppm "${model[@]}" --names pipe --no-save
pipe .data pipe.data "$YOLO" check pipe.data
pipe ".data of train" pipe.data "$YOLO" train --data pipe.data --cfg "$cfg"
pipe annotations pipe.json "$YOLO" detect good.ppm "${model[@]}" --format coco --annotations pipe.json --no-save
pipe "annotations of convert" pipe.json "$YOLO" convert good.list --names two.names --annotations pipe.json --out c.json
pipe "a COCO file" pipe.json "$YOLO" convert pipe.json --out never
pipe "a COCO file to be checked" pipe.json "$YOLO" check pipe.json
pipe results pipe.json "$YOLO" eval one.json --results pipe.json
pipe "a set of results" pipe.json "$YOLO" eval pipe.json --results one.json
pipe "stage plan" pipe "$YOLO" train --data good.list --cfg "$cfg" --stages pipe
pipe "npy" pipe "$YOLO" diff pipe pipe
mkfifo in-list.ppm
ls in-list.ppm good.ppm >piped.list
try "pipe: a picture of a list" timeout 20 "$YOLO" convert piped.list --names two.names --out c.json
status 3
err 'in-list.ppm: not a regular file but a pipe'
mkfifo fed.txt
timeout 20 cp good.list fed.txt &
try "pipe: a list may be one" timeout 20 "$YOLO" detect fed.txt "${model[@]}" --format jsonl --no-save
status 0
out 'good.ppm'

# ---- pictures ----

bad_picture() { # NAME; the bytes come on stdin
    cat >"$1"
    try "picture: $1" "$YOLO" detect "$1" "$good" "${model[@]}" --format jsonl --out "$work/out-dir"
    status 3
    one_error "$1: "
    holds [ "$(grep -c '"objects"' "$work/out")" -eq 1 ]
    holds grep -q "^{\"image\":\"$1\",\"error\":\"" "$work/out"
    holds [ ! -e "$work/out-dir/$1" ]
    try "picture: $1, dump" "$YOLO" dump "$1" "${model[@]}" --out "$work/never"
    status 2
    one_error "$1: "
    holds [ ! -e "$work/never" ]
}
png() { # WIDTH HEIGHT in four bytes each: a header and no more
    printf '\211PNG\r\n\032\n\0\0\0\rIHDR%b%b\010\002\0\0\0abcd' "$1" "$2"
}
bmp() { # WIDTH HEIGHT
    printf 'BM\0\0\0\0\0\0\0\0\066\0\0\0\050\0\0\0%b%b\001\0\030\0\0\0\0\0' "$1" "$2"
    head -c 20 /dev/zero
}
bad_picture empty.jpg </dev/null
bad_picture one-byte.jpg < <(printf '\377')
bad_picture text.jpg <<<'no picture'
bad_picture noise.jpg < <(noise 4000)
bad_picture zeros.png < <(head -c 4000 /dev/zero)
bad_picture start.jpg < <(printf '\377\330\377\340\0\020JFIF\0')
bad_picture signature.png < <(printf '\211PNG\r\n\032\n')
bad_picture header.png < <(png '\0\0\0\010' '\0\0\0\010')
bad_picture zero-size.png < <(png '\0\0\0\0' '\0\0\0\010' && noise 100)
bad_picture bomb.png < <(png '\0377\0377\0377\0377' '\0377\0377\0377\0377' && noise 100)
bad_picture large.png < <(png '\0\0\0377\0377' '\0\0\0377\0377' && noise 100)
bad_picture zero-size.bmp < <(bmp '\0\0\0\0' '\0\0\0\0')
bad_picture bomb.bmp < <(bmp '\0377\0377\0377\0177' '\0377\0377\0377\0177')
bad_picture cut.ppm < <(head -c 1000 "$good")
bad_picture zero-size.ppm < <(printf 'P6 0 0 255\n')
bad_picture huge.ppm < <(printf 'P6 99999999999 99999999999 255\n')
bad_picture negative.ppm < <(printf 'P6 -5 -5 255\nabc')
bad_picture web.webp < <(printf 'RIFF\044\0\0\0WEBPVP8 ' && noise 30)
bad_picture page.gif <<<'<html>404</html>'

# ---- pictures that are no fault of the file ----

not_broken() { # NAME REGEX: refused, and not called broken; the picture comes on stdin
    cat >"$1"
    try "picture: $1" "$YOLO" detect "$1" "${model[@]}" --no-save
    status 3
    one_error "$1: .*$2"
    no_err broken
}
bad_picture top-down.bmp < <(bmp '\0200\0076\0\0' '\0200\0301\0377\0377') # 16000 x -16000
one_error 'top-down.bmp: .*ends too early'
not_broken run-length.bmp 'run-length coded BMP is not supported' < <(bmp '\010\0\0\0' '\010\0\0\0' | sed 's/\x18\x00\x00/\x08\x00\x01/')
not_broken arithmetic.jpg 'JPEG with arithmetic coding is not supported' < <(
    printf '\377\330\377\311\0\013\010\0\010\0\010\001\001\021\0\377\331')
not_broken too-wide.png 'too large a picture' < <(png '\002\0\0\0' '\0\0\0\001' && noise 100)

{ # rows from the top: 2 x 2
    printf 'BM\106\0\0\0\0\0\0\0\066\0\0\0\050\0\0\0\002\0\0\0\376\377\377\377\001\0\030\0'
    head -c 24 /dev/zero
    noise 16
} >down.bmp
mkdir -p set/images set/labels
cp down.bmp set/images
echo '0 .5 .5 .5 .5' >set/labels/down.txt
echo thing >set/names
try "a top-down BMP in COCO" "$YOLO" convert set/images --names set/names --out set/truth.json
status 0
holds grep -q '"width": *2, *"height": *2' set/truth.json
holds grep -q '"bbox": *\[0.5, *0.5, *1, *1\]' set/truth.json

{ # 12 bits of data in 16
    printf 'P6 32 32 65535\n'
    for ((i = 0; i < 3072; i++)); do printf '\017\376'; done
} >dim.ppm
try "a picture of 16 bits that is nearly black" "$YOLO" detect dim.ppm "$good" "${model[@]}" --no-save
status 0
err 'warning: dim.ppm: nearly black: of its 16 bits'
holds [ "$(grep -c 'nearly black' "$work/err")" -eq 1 ]
cp dim.ppm set/images
: >set/labels/dim.txt
try "check: a picture of 16 bits that is nearly black" "$YOLO" check set/images --names set/names
out 'pictures of 16 bits that are nearly black'
out 'dim.ppm'

mkdir jfif
cp "$good" jfif/good.jfif
try "a .jfif in a folder" "$YOLO" detect jfif "${model[@]}" --no-save --format jsonl
status 0
holds grep -q 'good.jfif' "$work/out"

truncate -s 3G sparse.npy
limit_memory 2000000
try "a file that is no .npy is not read whole" "${limited[@]}" "$YOLO" dump sparse.npy "${model[@]}" --out "$work/never"
status 2
one_error 'sparse.npy: not a .npy file'
rm sparse.npy

mkdir hundred
for ((i = 100; i < 200; i++)); do cp "$good" "hundred/$i.ppm"; done
head -c 1000 "$good" >hundred/137.ppm
for batch in 1 8; do
    try "one corrupt picture among a hundred, batch $batch" "$YOLO" detect hundred "${model[@]}" --format jsonl \
        --no-save --batch $batch --threads 2
    status 3
    one_error 'hundred/137.ppm: '
    holds [ "$(wc -l <"$work/out")" -eq 100 ]
    holds [ "$(grep -c '"objects"' "$work/out")" -eq 99 ]
    holds [ "$(sed -n '38s/.*"image":"\([^"]*\)","error".*/\1/p' "$work/out")" = hundred/137.ppm ]
    holds [ "$(grep '"objects"' "$work/out" | sed 's/.*"width"//;s/"ms".*//' | sort -u | wc -l)" -eq 1 ]
done

finish
