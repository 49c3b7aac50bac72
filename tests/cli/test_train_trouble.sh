#!/usr/bin/env bash
# yolo train when the world changes under it: full disk, folder gone or read-only, pictures and labels
# deleted in the middle, a second process. A clear message, the state kept, and where the cause is
# mended, the bytes of the undisturbed run.
# shellcheck disable=SC2317 # functions are run by name
# A full disk and a read-only folder are mounted. Who may not mount gets a user namespace, where that is allowed.
if [ "$(id -u)" -ne 0 ] && unshare --map-root-user --mount true 2>/dev/null; then
    exec unshare --map-root-user --mount bash "$0" "$@"
fi
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$(dirname "$0")/lib_train.sh"

run=(--cfg tiny.cfg --seed 3 --iters 200 --val-every 50 --checkpoint-every 20 --log-every 1 --cache-mb 0)
mkfifo tick

stop_early() { # FOLDER: the run in it, $pid, is stopped a dozen updates after its beginning
    local rows=()
    while kill -0 "$pid" 2>/dev/null; do
        [ -e "$1/results.csv" ] && mapfile -t rows <"$1/results.csv"
        [ "${#rows[@]}" -gt 12 ] && break
        read -rt 0.005 _ <>tick # a pause without another process
    done
    kill -STOP "$pid" 2>/dev/null || fault "the run was over too soon"
}

go_on() {
    kill -CONT "$pid" 2>/dev/null
    wait "$pid"
    last_status=$?
}

disturbed() { # NAME FOLDER SET COMMAND...: a run with the command in its middle
    try "$1" true
    "$YOLO" train --data "$3/synth.data" "${run[@]}" --out "$2" >"$work/out" 2>"$work/err" &
    pid=$!
    stop_early "$2"
    "${@:4}" || fault "$4 failed"
    go_on
}

same_run() { # FOLDER: as whole/
    cmp whole/last.weights "$1/last.weights" && cmp whole/best.weights "$1/best.weights" &&
        cmp <(cut -d, -f1-13 whole/results.csv) <(cut -d, -f1-13 "$1/results.csv")
}

mends() { # NAME FOLDER: resumed, the run ends as if nothing had happened
    try "$1" "$YOLO" train --resume "$2" -q
    status 0
    holds same_run "$2"
}

try "undisturbed" "$YOLO" train --data set/synth.data "${run[@]}" --out whole -q
status 0

# ---- pictures and labels ----

cp -r set gone
disturbed "pictures deleted in the middle" few gone rm gone/images/train/00000[3-5].jpg gone/images/val/000002.jpg
status 0
err 'warning: .*images/train/000004.jpg: cannot open: No such file.*another picture takes its place'
err 'warning: .*images/val/000002.jpg: cannot open: No such file.*picture left out'
holds [ "$(grep -c 'train/000004.jpg' "$work/err")" -eq 1 ]
holds [ "$(wc -l <few/results.csv)" -eq 201 ]
disturbed "a picture that turns into something else" turned set cp set/synth.names set/images/train/000007.jpg
status 0
err 'warning: .*images/train/000007.jpg: .*another picture takes its place'
cp gone/images/train/000007.jpg set/images/train/
disturbed "labels deleted in the middle" labels gone rm -r gone/labels
status 0
holds [ "$(wc -l <labels/results.csv)" -eq 201 ]
cp -r set gone2
disturbed "all pictures deleted" none gone2 rm -r gone2/images/train
status 1
one_error 'none of the 24 pictures of the data set can be read \(once that is mended: yolo train --resume none\)'
cp -r set/images/train gone2/images/
mkdir away
mv gone2/images/train/000001.jpg away/
try "resumed without a picture" "$YOLO" train --resume none -q
status 2
err 'train.txt:2: images/train/000001.jpg does not exist'
one_error 'none/last.state: .*pictures or their labels have changed.*--weights none/last.weights'
mv away/000001.jpg gone2/images/train/
try "resumed when it is back" "$YOLO" train --resume none -q
status 0
holds [ "$(wc -l <none/results.csv)" -eq 201 ]

# ---- the folder ----

disturbed "the folder is moved away" before set mv before after
status 1
one_error 'before/(last|best).[a-z]*: cannot (create|write): No such file'
mends "and found again" after

second() {
    if "$YOLO" train --resume shared -q >/dev/null 2>second; then return 1; fi
    grep -q '^yolo: error: shared: another process is training in this folder' second
}
disturbed "a second process in the same folder" shared set second
status 0
holds same_run shared

: >file
for out in file file/run; do
    try "--out $out, where file is a file" "$YOLO" train --data set/synth.data "${run[@]}" --out $out
    status 1
    one_error "$out: "
done
: >runs
try "runs is a file" "$YOLO" train --data set/synth.data "${run[@]}"
status 1
one_error 'runs/train: '

# Read-only also for root, who passes by permissions: whatever this machine offers.
mkdir locked
cp -r whole/* locked/
is_writable() {
    touch locked/new 2>/dev/null && rm locked/new
}
unlock() {
    umount locked
    chattr -i locked
    chmod 755 locked
} 2>/dev/null
trap 'unlock; rm -rf "$work"' EXIT
chmod 555 locked
is_writable && chattr +i locked 2>/dev/null
is_writable && mount --bind locked locked 2>/dev/null && mount -o remount,ro,bind locked 2>/dev/null
if is_writable; then
    skip "a read-only folder" "nothing here keeps root from writing"
else
    try "a new run below a read-only folder" "$YOLO" train --data set/synth.data "${run[@]}" --out locked/new
    status 1
    one_error 'locked/new: cannot create the folder: '
    try "resumed in a read-only folder" "$YOLO" train --resume locked
    status 1
    one_error 'locked/.*: (cannot|Operation|Read-only)'
    holds cmp whole/last.state locked/last.state
fi
unlock
trap 'rm -rf "$work"' EXIT

# ---- the disk ----

limit() { # KIBIBYTES COMMAND...: no file grows beyond that
    ulimit -f "$1"
    shift
    exec "$@"
}
export -f limit
try "files may not grow any more" bash -c 'limit "$@"' limit 20 "$YOLO" train --data set/synth.data \
    "${run[@]}" --out limited -q
status 1
one_error 'limited/.*: cannot write: File too large \(once that is mended: yolo train --resume limited\)'
mends "and then they may" limited

mkdir disk
if mount -t tmpfs -o size=400k tmpfs disk 2>/dev/null; then
    trap 'umount disk; rm -rf "$work"' EXIT
    fill() { # until nothing fits any more
        cat /dev/zero >disk/filler 2>/dev/null
        [ -s disk/filler ]
    }
    disturbed "the disk is full" disk/run set fill
    status 1
    one_error 'disk/run/.*: cannot write: No space left on device \(once that is mended: yolo train --resume disk/run\)'
    rm disk/filler
    mends "and then it is not" disk/run
    umount disk
    trap 'rm -rf "$work"' EXIT
else
    skip "a full disk" "no tmpfs may be mounted here"
fi
finish
