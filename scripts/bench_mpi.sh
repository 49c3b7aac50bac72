#!/usr/bin/env bash
# What an update takes on two processes of one thread over a network of a given speed, beside one process:
# scripts/bench_mpi.sh CFG FREEZE SIDE PARTS [MBIT [UPDATES]]
#
# CFG is a network for boxes, FREEZE what `--freeze` takes, SIDE its input, PARTS the mini-batches of an update, each of one
# picture. The processes run in two network namespaces with a pair of virtual cards between them, shaped by tbf to MBIT
# (1000; 0: not shaped). Needs root's rights, iproute2, MPICH (MPICH's starter reaches its processes by pipes, so it may stand
# outside of the namespaces) and what scripts/test_mpi.sh builds. One line: the medians of both in seconds, and the efficiency.
set -eu
cd "$(dirname "$0")/.." || exit 1
cfg=$1 freeze=$2 side=$3 parts=$4 mbit=${5:-1000} updates=${6:-5}
work=$(mktemp -d)
root=$PWD
clean() {
    ip netns del yolo0 2>/dev/null || true
    ip netns del yolo1 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT
ip netns add yolo0
ip netns add yolo1
ip link add yolo0 netns yolo0 type veth peer name yolo1 netns yolo1
for i in 0 1; do
    ip -n yolo$i addr add 10.77.0.$((i + 1))/24 dev yolo$i
    ip -n yolo$i link set lo up
    ip -n yolo$i link set yolo$i up
    [ "$mbit" -eq 0 ] || tc -n yolo$i qdisc add dev yolo$i root tbf rate "${mbit}mbit" burst 1mb latency 100ms
done
cat >"$work/apart.sh" <<'APART'
#!/bin/sh
[ -z "$BENCH_AUTOGROUP" ] || echo "$BENCH_AUTOGROUP" >/proc/self/autogroup
exec ip netns exec "yolo$PMI_RANK" env UCX_TLS=tcp,self UCX_NET_DEVICES="yolo$PMI_RANK" FI_PROVIDER=tcp FI_TCP_IFACE="yolo$PMI_RANK" "$@"
APART
chmod +x "$work/apart.sh"
sed "s/^classes *=.*/classes=5/; s/^filters *= *255/filters=30/; s/^random *=.*/random=0/; s/^\(width\|height\) *=.*/\1=$side/" \
    "$cfg" >"$work/net.cfg"
[ -d build/bench_mpi/set ] || "$root/build/release/yolo" synth build/bench_mpi/set --train 16 --val 2 --size 320x320 --seed 5 -q
grep -v '^valid' build/bench_mpi/set/synth.data >build/bench_mpi/set/train.data
flags=(--data build/bench_mpi/set/train.data --cfg "$work/net.cfg" --recipe darknet --batch "$parts" --subdivisions "$parts"
    --freeze "$freeze" --iters "$updates" --log-every 1 --threads 1 --loader-threads 1 -q --no-pictures)
build/release/yolo train "${flags[@]}" --out "$work/one" >/dev/null 2>"$work/err" || { cat "$work/err"; exit 1; }
MPIR_CVAR_NOLOCAL=1 mpirun.mpich -n 2 "$work/apart.sh" build/release-mpich/yolo train "${flags[@]}" \
    --out "$work/two" >/dev/null 2>"$work/err" || { cat "$work/err"; exit 1; }
cmp "$work/one/last.weights" "$work/two/last.weights"
median() { # RUN: of the updates but the first
    awk -F, 'NR > 1 { if (NR > 2) { print $NF - before }; before = $NF }' "$1/results.csv" | sort -n |
        awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2 }'
}
one=$(median "$work/one") two=$(median "$work/two")
sent=$(ip netns exec yolo0 cat /sys/class/net/yolo0/statistics/tx_bytes | awk '{ print $1 / 1e6 }')
awk -v a="$one" -v b="$two" -v s="$sent" -v u="$updates" -v what="$(basename "$cfg") $freeze ${side} ${parts} parts, $mbit Mbit/s" 'BEGIN {
    printf "%s: one %.3f s, two %.3f s, efficiency %.2f, sent %.1f MB in all of %d updates\n", what, a, b, a / (2 * b), s, u }'
