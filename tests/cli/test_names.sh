#!/usr/bin/env bash
# File names that are no UTF-8, or hold control characters, in everything that prints or writes names: JSON stays
# UTF-8, terminals and logs get nothing that steers them, and what cannot be written is said.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$(dirname "$0")/lib_train.sh"

escape=$'es\e[31mc\x01ape' latin=$'caf\xe9' newline=$'new\nline' c1=$'c1\xc2\x9b31m'
mkdir -p odd/images odd/labels
for name in "$escape" "$latin" "$newline" "$c1" plain; do
    cp set/images/train/000000.jpg "odd/images/$name.jpg"
    echo '0 .5 .5 .2 .2
0 .5 .5 nan .2' >"odd/labels/$name.txt" # a fault each, so that each is named
done
mkdir -p many/images many/labels
i=0
for name in "$escape" "$newline" a b c d; do
    cp "set/images/train/00000$((i++)).jpg" "many/images/$name.jpg"
    echo '0 .5 .5 .2 .2' >"many/labels/$name.txt"
done
model=(--cfg "$root/tests/golden/tiny.cfg" --weights "$root/tests/golden/tiny.weights" --threads 1)

# shellcheck disable=SC2317 # called through holds
quiet() { # FILE...: nothing in it steers a terminal
    ! LC_ALL=C grep -qaP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$@"
}
# shellcheck disable=SC2317
utf8() { # FILE: no byte of the name that is no UTF-8 as it was, and U+FFFD in its place
    ! LC_ALL=C grep -qa $'\xe9' "$1" && grep -q $'caf\xef\xbf\xbd' "$1"
}
both() {
    holds quiet "$work/out" "$work/err"
}
try "check" "$YOLO" check odd/images --classes 2
status 3
both
out 'es\?\[31mc\?ape\.txt:2: error: '
out 'c1\?31m\.txt:2: error: '
out 'new\?line\.txt:2: error: '
try "check, JSON" "$YOLO" check odd/images --classes 2 --json
status 3
both
holds utf8 "$work/out"
try "check, a folder of such a name" "$YOLO" check "$(mv odd/labels "odd/$escape" && mv "odd/$escape" odd/labels && ln -s . "$escape" && echo "$escape")/odd/images" --classes 2
status 3
both
try "detect" "$YOLO" detect odd/images "${model[@]}" --no-save
status 0
both
out '^odd/images/es\?\[31mc\?ape\.jpg: '
try "detect, JSON" "$YOLO" detect odd/images "${model[@]}" --no-save --format json
status 0
both
holds utf8 "$work/out"
head -c 3 odd/images/plain.jpg >"odd/images/$escape$latin.jpg"
try "detect, a broken one" "$YOLO" detect odd/images "${model[@]}" --no-save --format jsonl
status 3
both
holds utf8 "$work/out"
rm "odd/images/$escape$latin.jpg"
for name in odd/labels/*; do echo '0 .5 .5 .2 .2' >"$name"; done
try "convert" "$YOLO" convert odd/images --out odd.json
status 3
both
err ': its name is not UTF-8, as JSON has to be .left out'
err 'odd.json: 4 pictures, 4 boxes; 1 faulty'
holds quiet odd.json
holds [ "$(LC_ALL=C grep -ac $'\xe9' odd.json)" -eq 0 ]
try "and back" "$YOLO" convert odd.json --images odd/images --out back
status 3
both
err 'images\[[0-9]\]: a file_name with control characters'
err 'back: 2 pictures, 2 boxes; 2 faulty'
try "what came back" "$YOLO" check back/back.data
no_out 'does not exist'
out '^  2 pictures'
try "convert: nothing else" "$YOLO" convert "$(mkdir latin && cp "odd/images/$latin.jpg" latin && echo latin)" --out latin.json
status 2
one_error 'latin: no picture that can be written'
holds [ ! -e latin.json ]
try "eval" "$YOLO" eval odd/images "${model[@]}" --format json --out evaluated
status 0
both
holds quiet evaluated/*.json
try "train" "$YOLO" train --data "$(printf 'classes=5\ntrain=odd/images\nvalid=odd/images\n' >odd.data && echo odd.data)" --cfg tiny.cfg \
    --iters 2 --warmup 0 --no-augment --out "run$escape"
status 0
holds quiet "$work/err" "run$escape/train.log"
mkdir "$latin"
printf 'classes=5\ntrain=%s\nvalid=%s\n' "$PWD/set/images/train" "$PWD/set/images/val" >"$latin/$latin.data"
try "a data file whose name is no UTF-8" "$YOLO" train --data "$latin/$latin.data" --cfg tiny.cfg --iters 4 --batch 2 --warmup 0 \
    --threads 1 --checkpoint-every 2 --out latinrun -q
status 0
json 'v["data"] ~ /\/caf\357\203\251\/caf\357\203\251\.data$/' latinrun/args.json
# shellcheck disable=SC2016 # expanded by the inner shell
holds sh -c '! LC_ALL=C grep -qa "$0" latinrun/args.json' $'\xe9'
try "is found again by --run" "$YOLO" eval --run latinrun --threads 1 --format json
status 0; json 'v["images"] >= 1'
try "and by --resume" "$YOLO" train --resume latinrun --threads 1
status 0; err 'start +latinrun/last.state'
try "what a cleaned copy lists" "$YOLO" check many/images --classes 2 --fix fixed
both
holds [ "$(wc -l <fixed/train.txt)" -eq 6 ]
holds quiet fixed/train.txt
try "can be read again" "$YOLO" check fixed/set.data
out '^  6 pictures'
no_out 'does not exist'
printf 'a\nb\n' >ab.names
try "what init lists" "$YOLO" init --data-dir many --names ab.names --base "$PWD/tiny.cfg" --out made
status 0
both
err 'es\?\[31mc\?ape\.jpg: lists cannot hold control characters'
err 'new\?line\.jpg: lists cannot hold control characters'
holds quiet made/train.txt made/valid.txt
holds [ "$(cat made/train.txt made/valid.txt | wc -l)" -eq 4 ]
finish
