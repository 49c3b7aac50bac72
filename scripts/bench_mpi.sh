#!/usr/bin/env bash
# What an update takes on two processes of one thread over a network of a given speed, beside one process, and what a model of
# measured pieces says of it, of four processes and of networks with other latencies.
#
#   scripts/bench_mpi.sh CFG FREEZE SIDE PARTS [MBIT [UPDATES]]
#   scripts/bench_mpi.sh --model FILE...
#
# CFG is a network for boxes, FREEZE what `--freeze` takes, SIDE its input, PARTS the mini-batches of an update, each of one
# picture, UPDATES how many (3; the first is not counted). The processes run in two network namespaces with a pair of virtual
# cards between them, shaped by tbf to MBIT (1000; 0: not shaped). Needs root's rights, iproute2, MPICH (its starter reaches the
# processes by pipes, so it may stand outside of the namespaces) and what scripts/test_mpi.sh builds.
#
# Measured are the medians, in seconds, of an update on one process ("alone"), on one while another one trains the same beside it
# ("beside": two processes of one machine share its memory, which no network is to blame for), and on two; the efficiencies are
# half of the first two over the last. A run that takes longer than BENCH_LIMIT seconds (140) ends with one line. BENCH_RUN is a
# command in front of each run (`nice -n -5`), BENCH_AUTOGROUP what to write to /proc/self/autogroup in the processes.
#
# The line "pieces" is what --model reads; HANDLING is a piece, too: what a megabyte that is sent costs the processor in
# seconds (.004; MBIT 0 shows it).
set -eu
cd "$(dirname "$0")/.." || exit 1

# ---- the model ----

# m mini-batches of c seconds, of which b backward, u for the optimiser, W MB sent at B MB/s, of which the last mini-batch's
# backward pass hides what the processor has left; h seconds for each MB; l seconds from one to the other: asking for a piece, the
# answer, the piece, twice, for each round of 8 pieces of .262 MB an owner, and four gatherings along a tree.
model() { # FILE...
    awk '
    function most(a, b) { return a > b ? a : b }
    function update(p, l,    m, log2, rounds, way) {
        m = int((v["parts"] + p - 1) / p)
        log2 = p > 2 ? 2 : 1
        rounds = v["moving_mb"] / (8 * p * .262144)
        way = most(v["sent" p "_mb"] / v["mb_s"], 6 * l * rounds) + 6 * l
        return most(m * v["c"] + v["u"] + v["handling"] * v["sent" p "_mb"], m * v["c"] - v["b"] + way + v["u"]) + 4 * log2 * l
    }
    $1 == "pieces" {
        for (i = 3; i <= NF; i++) {
            split($i, part, "=")
            v[part[1]] = part[2]
        }
        one = v["parts"] * v["c"] + v["u"]
        printf "%s: two measured %.3f s, of the model %.3f s (%+.0f %%)\n", $2, v["two"], update(2, v["latency"]), 100 * (update(2, v["latency"]) / v["two"] - 1)
        for (p = 2; p <= 4; p += 2) {
            printf "%s: %d processes, efficiency at latencies of .05, .2, 1 ms:", $2, p
            for (i = 1; i <= 3; i++) {
                printf " %.2f", one / (p * update(p, i == 1 ? .00005 : i == 2 ? .0002 : .001))
            }
            printf "\n"
        }
    }' "$@"
}

if [ "${1:-}" = --model ]; then
    shift
    model "$@"
    exit
fi

# ---- the network ----

cfg=$1 freeze=$2 side=$3 parts=$4 mbit=${5:-1000} updates=${6:-3}
name=$(basename "$cfg" .cfg)_${freeze}_${side}_${parts}_${mbit}
limit=${BENCH_LIMIT:-140}
work=$(mktemp -d)
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
    [ "$mbit" -eq 0 ] || tc -n yolo$i qdisc add dev yolo$i root tbf rate "${mbit}mbit" burst 256kb latency 100ms
done
cat >"$work/apart.sh" <<'APART'
#!/bin/sh
[ -z "${BENCH_AUTOGROUP:-}" ] || echo "$BENCH_AUTOGROUP" >/proc/self/autogroup
exec ip netns exec "yolo$PMI_RANK" env UCX_TLS=tcp,self UCX_NET_DEVICES="yolo$PMI_RANK" FI_PROVIDER=tcp FI_TCP_IFACE="yolo$PMI_RANK" "$@"
APART
chmod +x "$work/apart.sh"

# ---- what is run ----

sed "s/^classes *=.*/classes=5/; s/^filters *= *255/filters=30/; s/^random *=.*/random=0/; s/^\(width\|height\) *=.*/\1=$side/" \
    "$cfg" >"$work/net.cfg"
[ -d build/bench_mpi/set ] || build/release/yolo synth build/bench_mpi/set --train 16 --val 2 --size 320x320 --seed 5 -q
grep -v '^valid' build/bench_mpi/set/synth.data >build/bench_mpi/set/train.data
flags=(--data build/bench_mpi/set/train.data --cfg "$work/net.cfg" --recipe darknet --batch "$parts" --subdivisions "$parts"
    --freeze "$freeze" --iters "$updates" --log-every 1 --threads 1 --loader-threads 1 -q --no-pictures)

limited() { # WHAT COMMAND...
    local what=$1 status=0
    shift
    # shellcheck disable=SC2086 # words of a command
    ${BENCH_RUN:-} timeout -k 5 "$limit" "$@" >/dev/null 2>"$work/err" || status=$?
    [ $status -eq 0 ] || {
        cat "$work/err" >&2
        echo "$name: $what ended with status $status (124: it took longer than $limit s)" >&2
        exit 1
    }
}
cat >"$work/beside.sh" <<'BESIDE'
#!/bin/sh
"$@" --out "$OUT.other" &
"$@" --out "$OUT" && wait $!
BESIDE
chmod +x "$work/beside.sh"

limited "one process" build/release/yolo train "${flags[@]}" --out "$work/alone"
OUT=$work/beside limited "two side by side" "$work/beside.sh" build/release/yolo train "${flags[@]}"
MPIR_CVAR_NOLOCAL=1 limited "two together" mpirun.mpich -n 2 "$work/apart.sh" build/release-mpich/yolo train "${flags[@]}" --out "$work/two"
cmp "$work/alone/last.weights" "$work/two/last.weights"
sent=$(ip netns exec yolo0 cat /sys/class/net/yolo0/statistics/tx_bytes | awk '{ print $1 / 1e6 }')

# ---- what came of it ----

median() { # RUN: of the updates but the first
    awk -F, 'NR > 1 { if (NR > 2) { print $NF - before }; before = $NF }' "$work/$1/results.csv" | sort -n |
        awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2 }'
}
says() { # PROCESSES: MB that one sends in an update
    mpirun.mpich -n "$1" build/release-mpich/yolo train "${flags[@]}" --dry-run 2>/dev/null |
        sed -n 's/^processes .* sends \([0-9.]*\) MB.*/\1/p'
}
frozen=()
[ "$freeze" = none ] || frozen=(--freeze "$freeze")
# shellcheck disable=SC2086 # words of a command
${BENCH_RUN:-} build/release/yolo bench --cfg "$work/net.cfg" --weights none --train --layers "${frozen[@]}" --threads 1 --warmup 1 \
    --runs 3 --format json 2>/dev/null | tr ',' '\n' | tr -d '"{}[]' >"$work/pieces"
awk -F: -v name="$name" -v alone="$(median alone)" -v beside="$(median beside)" -v two="$(median two)" -v sent="$sent" \
    -v parts="$parts" -v updates="$updates" -v mbit="$mbit" -v says2="$(says 2)" -v says4="$(says 4)" -v h="${HANDLING:-.004}" '
    $1 == "trainable" { moving = $2 * 4 / 1e6 }
    $1 == "update_ms" { u = $2 / 1000 }
    $1 == "loss_ms" || $1 == "forward_ms" { there += $2 }
    $1 == "backward_ms" { back += $2 }
    END {
        c = (beside - u) / parts
        printf "%s: alone %.3f s, beside %.3f s, two %.3f s; efficiency %.2f of alone, %.2f of beside; sent %.1f MB in %d updates\n", name,
            alone, beside, two, alone / (2 * two), beside / (2 * two), sent, updates
        printf "pieces %s parts=%d c=%.4f b=%.4f u=%.4f moving_mb=%.3f sent2_mb=%s sent4_mb=%s mb_s=%.1f handling=%s latency=.00005 two=%.3f\n",
            name, parts, c, c * back / (there + back), u, moving, says2, says4, mbit ? mbit / 8 * .95 : 5000, h, two
    }' "$work/pieces" | tee "$work/line"
model "$work/line"
