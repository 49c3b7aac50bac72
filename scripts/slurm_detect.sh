#!/usr/bin/env bash
#SBATCH --job-name=yolo-detect
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
# Detect objects in a folder by a Slurm job array, each task a share of the pictures:
#   sbatch [--array=1-100] scripts/slurm_detect.sh FOLDER OUT [OPTION-OF-YOLO-DETECT...]
#
# Run it from a folder that all nodes see. The program is ./yolo there, or $YOLO, or yolo on the path. A task writes
# OUT/part-I-of-N.jsonl, which is there once it is whole, and its annotated pictures into OUT (--no-save: none). When all
# tasks are done:
#   yolo merge OUT/part-*-of-100.jsonl > found.jsonl
# A task that has failed is sent again alone with the same FOLDER, OUT and number of tasks N (YOLO_SHARES=N, as Slurm
# counts only the tasks that it is sent): YOLO_SHARES=100 sbatch --array=17 scripts/slurm_detect.sh FOLDER OUT.
# Any first index and step of the array will do for a whole one. Exit status: that of yolo detect (3: some pictures could
# not be read, the part is whole all the same), 2 wrong usage.
set -u
if [ $# -lt 2 ] || [ -z "${SLURM_ARRAY_TASK_ID:-}" ]; then
    echo "slurm_detect: sbatch --array=1-N slurm_detect.sh FOLDER OUT [OPTION...]" >&2
    exit 2
fi
folder=$1 out=$2
shift 2
yolo=${YOLO:-./yolo}
[ -x "$yolo" ] || yolo=yolo

if [ -n "${YOLO_SHARES:-}" ]; then
    share=$SLURM_ARRAY_TASK_ID shares=$YOLO_SHARES
else
    share=$(((SLURM_ARRAY_TASK_ID - ${SLURM_ARRAY_TASK_MIN:-1}) / ${SLURM_ARRAY_TASK_STEP:-1} + 1))
    shares=${SLURM_ARRAY_TASK_COUNT:?}
fi
part=$(printf '%s/part-%0*d-of-%d.jsonl' "$out" ${#shares} "$share" "$shares")
mkdir -p "$out" || exit 1
rm -f "$part"
save=(--out "$out")
case " $* " in *" --no-save "*) save=() ;; esac
"$yolo" detect "$folder" --shard "$share/$shares" --threads "${SLURM_CPUS_PER_TASK:-0}" ${save[@]+"${save[@]}"} --format jsonl "$@" >"$part.tmp"
status=$?
case $status in
0 | 3) mv "$part.tmp" "$part" || exit 1 ;;
*)
    rm -f "$part.tmp"
    echo "slurm_detect: share $share of $shares ended with status $status" >&2
    ;;
esac
exit $status
