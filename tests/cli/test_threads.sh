#!/usr/bin/env bash
# How many threads compute and where, by what OpenMP's variables and --threads say; and the engine as a library in a
# process that is not ours, with an OpenMP region of its own.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$(dirname "$0")/lib_train.sh"
unset OMP_NUM_THREADS OMP_THREAD_LIMIT OMP_DYNAMIC OMP_PROC_BIND OMP_PLACES OMP_WAIT_POLICY OMP_MAX_ACTIVE_LEVELS
unset GOMP_CPU_AFFINITY KMP_AFFINITY GOMP_SPINCOUNT KMP_BLOCKTIME
bench=("$YOLO" bench --cfg tiny.cfg --runs 1 --warmup 0 --format json -q)

# ---- how many ----

try "by itself" "${bench[@]}"
status 0
own=$(grep -oE '"threads":[0-9]+' "$work/out")
count() { # NUMBER NAME [ENV=x...] [FLAGS...]
    local variables=() number=$1 name=$2
    shift 2
    while [[ ${1:-} == *=* ]]; do variables+=("$1") && shift; done
    try "$name ${variables[*]}" "${variables[@]}" "${bench[@]}" "$@"
    status 0
    out "\"threads\":${number}[,}]"
}
count 3 "so many" OMP_NUM_THREADS=3
count 3 "the outer level" OMP_NUM_THREADS=3,2
count 2 "--threads wins" OMP_NUM_THREADS=3 --threads 2
count 1 "no more than the limit" OMP_THREAD_LIMIT=1
count 2 "no more than the limit" OMP_THREAD_LIMIT=2 --threads 5
count 300 "as many as one asks for" --threads 300
for wrong in OMP_NUM_THREADS=many OMP_NUM_THREADS=0 OMP_NUM_THREADS=-2; do
    count "${own#*:}" "as if it were not there" "$wrong"
done
for bound in OMP_PROC_BIND=close OMP_PROC_BIND=true OMP_PROC_BIND=spread OMP_PLACES=threads; do
    count "${own#*:}" "bound threads: each processor counts" "$bound"
done

# ---- the same bits ----

prepare "$YOLO" train --data set/synth.data --cfg tiny.cfg --seed 3 --iters 12 --out alone --threads 1 -q
prepare "$YOLO" dump set/images/val/000000.jpg --cfg tiny.cfg --weights alone/last.weights --out layers --threads 1 -q
for variables in OMP_DYNAMIC=true OMP_THREAD_LIMIT=2 OMP_WAIT_POLICY=active OMP_WAIT_POLICY=passive \
    "OMP_PROC_BIND=close OMP_PLACES=cores" "OMP_PROC_BIND=true OMP_PLACES={0}" OMP_MAX_ACTIVE_LEVELS=0; do
    # shellcheck disable=SC2086 # some are two
    try "trained with $variables" $variables "$YOLO" train --data set/synth.data --cfg tiny.cfg --seed 3 --iters 12 \
        --out other --threads 3 -q
    status 0
    holds cmp alone/last.weights other/last.weights
    rm -rf other
done
for threads in 2 3 8; do
    try "layers on $threads threads" "$YOLO" dump set/images/val/000000.jpg --cfg tiny.cfg \
        --weights alone/last.weights --out "layers$threads" --threads "$threads" -q
    status 0
    holds diff -r layers "layers$threads"
done

# ---- many pictures: one a thread, few: one after another on all of them ----

many=(set/images/val --cfg tiny.cfg --weights alone/last.weights --no-save --format csv --conf .01)
prepare sh -c '"$@" >one.csv' - "$YOLO" detect "${many[@]}" --threads 1
holds test "$(wc -l <one.csv)" -gt 10
detects() { # NAME FLAGS...: the same boxes
    try "$1" "$YOLO" detect "${many[@]}" "${@:2}"
    status 0
    holds cmp one.csv "$work/out"
}
for threads in 2 3 5; do
    detects "ten pictures on $threads threads" --threads "$threads"
    err ", $threads at a time; "
done
detects "fewer than two a thread" --threads 6
no_err 'at a time'
detects "batches" --threads 2 --batch 4
no_err 'at a time'
try "from stdin, where nobody knows when they come" sh -c 'ls set/images/val/* | "$@"' - "$YOLO" detect - "${many[@]:1}" --threads 2
status 0
no_err 'at a time'
holds sh -c 'cut -d, -f2- one.csv | cmp - "$1"' - <(cut -d, -f2- "$work/out")
mkfifo fed.txt
try "from a pipe, likewise" sh -c 'ls set/images/val/* >fed.txt & "$@"' - timeout 60 "$YOLO" detect fed.txt "${many[@]:1}" --threads 2
status 0
no_err 'at a time'
holds sh -c 'cut -d, -f2- one.csv | cmp - "$1"' - <(cut -d, -f2- "$work/out")
for list in fed.txt 'f?d.txt'; do
    try "no share of a pipe: $list" timeout 60 "$YOLO" detect "$list" "${many[@]:1}" --shard 1/2
    status 2
    one_error "${list//\?/.}: a pipe, but --shard"
done
try "a share of five" "$YOLO" detect "${many[@]}" --threads 2 --shard 1/2
status 0
err ', 2 at a time; '
try "a share of two" "$YOLO" detect "${many[@]}" --threads 2 --shard 1/5
status 0
no_err 'at a time'
try "a picture that cannot be read costs only itself" sh -c 'printf x >bad.png; "$@"' - \
    "$YOLO" detect bad.png "${many[@]}" --threads 2
status 3
one_error 'bad\.png'
holds cmp one.csv "$work/out"
for threads in 1 3; do
    try "eval on $threads threads" "$YOLO" eval set/synth.data "${many[@]:1:4}" --format json --threads "$threads"
    status 0
    holds cp "$work/out" "eval$threads.json"
done
err ', 3 at a time; '
holds cmp eval1.json eval3.json

# ---- where ----

# The threads that read pictures may run wherever the program may, though OpenMP binds the one that starts them.
allowed() { # PROCESS: the processors of each of its threads
    sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "/proc/$1/task/"*/status 2>/dev/null
}
# shellcheck disable=SC2317 # called through holds
unbound_thread() { # PROCESS
    local _
    for _ in $(seq 400); do
        allowed "$1" | grep -qx -- "$everywhere" && return
        kill -0 "$1" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}
everywhere=$(allowed $$ | head -n 1)
if [[ ! $everywhere =~ [-,] ]]; then
    skip "where threads run" "one processor, or no /proc"
else
    try "detect: readers are not bound" true
    mkfifo paths
    OMP_PROC_BIND=close OMP_PLACES=cores "$YOLO" detect - --cfg tiny.cfg --weights alone/last.weights --no-save \
        <paths >/dev/null 2>"$work/err" &
    exec 3>paths # more might come
    holds unbound_thread $!
    exec 3>&-
    wait $!
    last_status=$?
    status 0

    try "train: readers are not bound" true
    OMP_PROC_BIND=close OMP_PLACES=cores "$YOLO" train --data set/synth.data --cfg tiny.cfg --iters 100000 \
        --out bound -q >/dev/null 2>"$work/err" &
    holds unbound_thread $!
    kill -TERM $! # it may not listen yet
    wait $!
    last_status=$?
    [ "$last_status" -eq 143 ] || status 130
fi

# ---- in a process that is not ours ----

# Every pass gives the same bits, whoever calls, whatever OpenMP the host has, and the library goes when asked.
library=${helpers%/tests/helpers}/libyolo.so
hosted() { # NAME THREADS [ENV=x...]
    local name=$1 threads=$2
    shift 2
    try "a host's $name" "$@" "$helpers/host" "$library" "$root/tests/golden/winograd.cfg" 0 5 "$threads"
    status 0
    holds [ "$(awk '{ print $1 }' "$work/out" | tr '\n' ' ')" = "main thread region region after " ]
    hash=$(awk '$1 != "after" { print $2 }' "$work/out" | sort -u)
    : "${first_hash:=$hash}"
    holds [ "$hash" = "$first_hash" ]
}
first_hash=''
for threads in 1 2 3 8; do
    hosted "network on $threads threads" "$threads"
done
for variables in OMP_WAIT_POLICY=active OMP_WAIT_POLICY=passive OMP_MAX_ACTIVE_LEVELS=2 OMP_THREAD_LIMIT=2 \
    OMP_DYNAMIC=true OMP_PROC_BIND=close; do
    hosted "network with $variables" 3 "$variables" OMP_NUM_THREADS=2
done
finish
