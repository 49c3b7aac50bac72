#!/usr/bin/env bash
# Training with several processes: the bytes of one process, whatever is trained and on however many; killed and
# resumed on another number; what differs between hosts is refused. For each MPI that the program was built with:
# scripts/test_mpi.sh builds with those that are installed (scripts/setup.sh --mpi). MPI_KILLS=N kills N times in place of
# twice, KILL_SEED=N repeats the moments.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_train.sh
. "$(dirname "$0")/lib_train.sh"

RANDOM=${KILL_SEED:=$$}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none
# The same for Open MPI 5, whose starter has other names.
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none

kinds=()
for kind in mpi openmpi mpich; do
    mpirun=mpirun$([ $kind = mpi ] || echo ".$kind")
    if [ -x "$root/build/release-$kind/yolo" ] && command -v "$mpirun" >/dev/null; then
        kinds+=("$kind")
    fi
done
if [ ${#kinds[@]} -eq 0 ]; then
    skip mpi "no program with MPI, or no mpirun (scripts/test_mpi.sh builds one)"
    finish
fi

# Everything but what the clock gave.
rows() {
    awk -F, -v OFS=, '{ $(NF - 1) = $NF = ""; print }' "$1/results.csv"
}

same_run() { # A B
    cmp "$1/last.weights" "$2/last.weights" && cmp <(rows "$1") <(rows "$2") &&
        { [ ! -e "$1/best.weights" ] || cmp "$1/best.weights" "$2/best.weights"; }
}

# Each process notes its number, and runs in a folder of its own if there is one.
cat >as_rank.sh <<'RANK'
#!/bin/sh
rank=${OMPI_COMM_WORLD_RANK:-$PMI_RANK}
mkdir -p pids
echo $$ >"pids/$rank"
[ ! -d "host$rank" ] || cd "host$rank" || exit 1
exec "$@"
RANK
chmod +x as_rank.sh

use() { # KIND: of MPI
    kind=$1
    mpirun=mpirun$([ "$kind" = mpi ] || echo ".$kind")
    mpi_yolo=$root/build/release-$kind/yolo
}

# The same training on one process and on 1 to 4.
alike() { # NAME NUMBERS FLAGS...
    local name=$1 numbers=$2
    shift 2
    try "$name: one process" "$YOLO" train "$@" --threads 1 -q --no-pictures --out "one/$name"
    status 0
    for use_kind in "${kinds[@]}"; do
        use "$use_kind"
        for n in $numbers; do
            try "$name: $n with $kind" "$mpirun" -n "$n" ./as_rank.sh "$mpi_yolo" train "$@" --threads 1 -q \
                --no-pictures --out "$kind$n/$name"
            status 0
            out_is "$kind$n/$name"
            holds same_run "one/$name" "$kind$n/$name"
        done
    done
}

"$YOLO" train --data set/synth.data --cfg tiny.cfg --seed 3 --iters 10 --threads 1 --out start -q >/dev/null 2>&1
sed 's/^classes *=.*/classes=5/; s/^filters *= *255/filters=30/; s/^random *=.*/random=0/; s/^\(width\|height\) *=.*/\1=64/' \
    "$root/cfg/yolov4-tiny.cfg" >v4.cfg
sed 's/random=1/random=0/' tiny.cfg >still.cfg

# ---- the same bytes ----

darknet=(--data set/synth.data --seed 3 --recipe darknet)
alike yolov4-tiny "1 2 3 4" "${darknet[@]}" --cfg v4.cfg --batch 6 --subdivisions 3 --iters 4 --val-every 2
alike staged "2 4" "${darknet[@]}" --cfg v4.cfg --batch 10 --subdivisions 5 --val-every 4 \
    --stage "freeze=backbone iters=3" --stage "freeze=none iters=3"
alike average-adam "3" "${darknet[@]}" --cfg v4.cfg --batch 8 --subdivisions 4 --iters 4 --val-every 2 \
    --optimizer adamw --ema .9
alike multiscale "2 3 4" "${darknet[@]}" --cfg tiny.cfg --batch 14 --subdivisions 7 --iters 30 --val-every 10 --clip-norm 1 \
    --bn-start mean
alike more-than-parts "4" "${darknet[@]}" --cfg tiny.cfg --batch 4 --subdivisions 2 --iters 12 --val-every 5
alike kept "2 3" "${darknet[@]}" --cfg still.cfg --weights start/last.weights --batch 6 --subdivisions 3 --freeze 0-2 \
    --cache-features 2 --epochs 6 --ema .9
for use_kind in "${kinds[@]}"; do # whoever made them
    holds [ ! -e "${use_kind}2/kept/features.cache" ]
done

# ---- a classifier, a network of values ----

cat >classes.cfg <<'CFG'
[net]
width=16
height=16
channels=3
batch=8
subdivisions=4
learning_rate=.01
max_batches=12
[convolutional]
batch_normalize=1
filters=6
size=3
stride=2
pad=1
activation=leaky
[dropout]
probability=.3
[convolutional]
filters=2
size=1
activation=linear
[avgpool]
[softmax]
CFG
sed '/^\[dropout\]/,$d' classes.cfg >values.cfg
cat >>values.cfg <<'CFG'
[deconvolutional]
filters=3
size=2
stride=2
activation=logistic
[cost]
type=sse
CFG
for class in a b; do
    mkdir -p "classes/train/$class" "classes/val/$class"
done
n=0
for picture in "$work"/set/images/*/*; do
    n=$((n + 1))
    part=train
    [ $((n % 5)) -ne 0 ] || part="val"
    class=a
    [ $((n % 2)) -eq 0 ] || class=b
    ln -s "$picture" "classes/$part/$class/$n.${picture##*.}"
done
alike classes "2 3" --data classes --cfg classes.cfg --seed 2 --val-every 4 --recipe darknet
alike values "2" --data classes --cfg values.cfg --seed 2 --val-every 4 --recipe darknet

# ---- the recipe, the divergence ----

try "the recipe gives everybody something to do" "$mpirun" -n 3 ./as_rank.sh "$mpi_yolo" train --data set/synth.data \
    --cfg v4.cfg --recipe auto --seed 3 --batch 6 --iters 2 --threads 1 --dry-run
status 0
out '\(3 x 2\)'
out '^processes 3, .* up to 1 of 3 mini-batches, and this one sends 31\.4 MB'
wild=("${darknet[@]}" --cfg tiny.cfg --batch 6 --subdivisions 3 --iters 20 --lr 1000 --threads 1 -q --no-pictures)
try "diverges: one process" "$YOLO" train "${wild[@]}" --out one/wild
one_status=$last_status
for use_kind in "${kinds[@]}"; do
    use "$use_kind"
    try "diverges: 3 with $kind" "$mpirun" -n 3 ./as_rank.sh "$mpi_yolo" train "${wild[@]}" --out "$kind/wild"
    status "$one_status"
    holds cmp one/wild/last.weights "$kind/wild/last.weights"
    holds cmp <(cut -d' ' -f3- one/wild/train.log | grep 'rate halved') <(cut -d' ' -f3- "$kind/wild/train.log" | grep 'rate halved')
done

# ---- killed, stopped, resumed on another number ----

run=("${darknet[@]}" --cfg tiny.cfg --batch 10 --subdivisions 5 --iters 300 --ema .99 --val-every 30 --checkpoint-every 7
    --log-every 2 --threads 1 -q --no-pictures)
begun=$(date +%s%3N)
try "the run that nobody touches" "$YOLO" train "${run[@]}" --out whole
status 0
span=$(($(date +%s%3N) - begun))
for use_kind in "${kinds[@]}"; do
    use "$use_kind"
    rm -rf killed
    : >lost
    hits=0
    for ((n = 0; n < 100 && hits < ${MPI_KILLS:-2}; n++)); do
        from=("${run[@]}" --out killed)
        [ ! -e killed/last.state ] || from=(--resume killed -q)
        ranks=$((2 + RANDOM % 3))
        rm -rf pids
        "$mpirun" -n $ranks ./as_rank.sh "$mpi_yolo" train "${from[@]}" >/dev/null 2>>lost &
        job=$!
        sleep "$(awk -v ms=$((300 + RANDOM % (span + 500))) 'BEGIN { print ms / 1000 }')"
        victim=$(cat "pids/$((RANDOM % ranks))" 2>/dev/null)
        if [ -n "$victim" ] && [ -e killed/last.state ] && kill -9 "$victim" 2>/dev/null; then
            hits=$((hits + 1))
        fi
        wait $job
        if [ ! -e killed/last.state ] || cmp -s whole/last.weights killed/last.weights; then
            rm -rf killed # nothing begun, or nothing left to kill
        fi
    done
    from=("${run[@]}" --out killed)
    [ ! -e killed/last.state ] || from=(--resume killed -q)
    try "killed with $kind ($hits times, KILL_SEED=$KILL_SEED)" "$mpirun" -n 3 ./as_rank.sh "$mpi_yolo" train "${from[@]}"
    status 0
    holds [ "$hits" -ge "${MPI_KILLS:-2}" ]
    holds same_run whole killed
    holds grep -q 'a process of the training was lost; the last checkpoint is whole: yolo train --resume killed' lost

    rm -rf stopped pids
    "$mpirun" -n 2 ./as_rank.sh "$mpi_yolo" train "${run[@]}" --out stopped >/dev/null 2>lost &
    job=$!
    for ((i = 0; i < 300; i++)); do
        [ ! -e stopped/last.weights ] || break
        sleep .1
    done
    sleep .3
    kill -USR1 "$(cat pids/1)" # of one of them, as mpirun hands it on to all
    wait $job
    stopped_as=$?
    try "stopped with $kind" cat lost
    holds [ $stopped_as -eq 130 ]
    holds [ -e stopped/last.state ]
    no_out 'was lost'
    try "goes on as one process" "$YOLO" train --resume stopped -q
    status 0
    holds same_run whole stopped
done

# ---- the starter killed, an end that does not come ----

gone() { # PIDS: within ten seconds
    local i pid left
    for ((i = 0; i < 100; i++)); do
        left=
        for pid in "$@"; do
            ! kill -0 "$pid" 2>/dev/null || left=1
        done
        [ -n "$left" ] || return 0
        sleep .1
    done
    kill -9 "$@"
    return 1
}

for use_kind in "${kinds[@]}"; do
    use "$use_kind"
    rm -rf orphans pids
    "$mpirun" -n 2 ./as_rank.sh "$mpi_yolo" train "${run[@]}" --iters 100000 --out orphans >/dev/null 2>&1 &
    job=$!
    for ((i = 0; i < 300; i++)); do
        [ ! -e orphans/last.state ] || break
        sleep .1
    done
    left=("$(cat pids/0)" "$(cat pids/1)")
    kill -9 $job "$(ps -o ppid= -p "${left[0]}" | tr -d ' ')" 2>/dev/null # MPICH's has a proxy between them
    wait $job 2>/dev/null
    try "the starter killed with $kind" true
    holds gone "${left[@]}"
    holds [ -e orphans/last.state ]
done

# Over TCP, where who has ended may not be deaf to those who end later; they wait for process 0, which writes 24 MB.
for use_kind in "${kinds[@]}"; do
    use "$use_kind"
    for n in 1 2 3 4 5; do
        try "over TCP with $kind, $n" UCX_TLS=tcp,self UCX_NET_DEVICES=lo MPIR_CVAR_NOLOCAL=1 OMPI_MCA_btl=tcp,self \
            OMPI_MCA_pml=ob1 timeout -k 5 100 "$mpirun" -n 2 ./as_rank.sh "$mpi_yolo" train "${darknet[@]}" \
            --cfg v4.cfg --batch 4 --subdivisions 2 --iters 2 --threads 1 -q --no-pictures --out "tcp/$kind$n"
        status 0
    done
done

if [ -f "$root/build/fail_shim.so" ]; then
    cat >deaf.sh <<DEAF
#!/bin/sh
LD_PRELOAD=$root/build/fail_shim.so FAIL_END=1 exec "\$@"
DEAF
    chmod +x deaf.sh
    try "MPI does not end with $kind" timeout -k 5 100 "$mpirun" -n 2 ./as_rank.sh ./deaf.sh "$mpi_yolo" train "${darknet[@]}" \
        --cfg v4.cfg --batch 4 --subdivisions 2 --iters 2 --threads 1 -q --no-pictures --out deaf
    [ "$last_status" -ne 0 ] && [ "$last_status" -ne 124 ] || fault "status $last_status"
    err '^yolo: error: MPI does not end; what the run writes is written$'
    holds cmp "tcp/${kind}1/last.weights" deaf/last.weights
else
    skip "MPI does not end" "build/fail_shim.so is not built (make tests)"
fi

# ---- what differs ----

for use_kind in "${kinds[@]}"; do
    use "$use_kind"
    mkdir -p host1
    cp -r set tiny.cfg host1/
    label=$(find host1/set/labels -name '*.txt' -size +0 | sort | head -n 1)
    awk '{ $2 = $2 * .9; print }' "$label" >changed && mv changed "$label"
    for name in host1/set/*.txt; do
        sed "s,^$work/,$work/host1/," "$name" >changed && mv changed "$name"
    done
    try "another label with $kind" "$mpirun" -n 2 ./as_rank.sh "$mpi_yolo" train "${run[@]}" --out refused
    [ "$last_status" -ne 0 ] || fault "status 0"
    one_error 'process 1 on .*set/train.txt: 24 pictures, not the same pictures and labels as process 0 has'
    holds [ ! -e refused ]
    rm -rf host1
    mkdir host1
    try "no set with $kind" "$mpirun" -n 2 ./as_rank.sh "$mpi_yolo" train "${run[@]}" --out refused
    [ "$last_status" -ne 0 ] || fault "status 0"
    one_error 'process 1 on .*--data set/synth.data: no such file'
    holds [ ! -e refused ]
    rm -rf host1
    try "a wrong word with $kind" "$mpirun" -n 2 ./as_rank.sh "$mpi_yolo" train --nonsense
    [ "$last_status" -ne 0 ] || fault "status 0"
    one_error 'unknown option --nonsense'
    try "a program without MPI with $kind" "$mpirun" -n 2 ./as_rank.sh "$YOLO" train "${run[@]}" --out refused
    [ "$last_status" -ne 0 ] || fault "status 0"
    err '^yolo: error: started as one of 2 processes, but built for one \(make MPI=1\)'
    holds [ ! -e refused ]
done
finish
