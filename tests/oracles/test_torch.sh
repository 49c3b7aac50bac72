#!/usr/bin/env bash
# Every layer of whole networks with random weights against PyTorch in double precision, on every instruction set of this
# machine, with and without Winograd. Needs torch and numpy; $ORACLE_CASES: other cases (tests/tools/compare_torch.py).
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
isas=scalar
for isa in avx2 avx512; do
    if "$YOLO" bench --cfg cfg/tabletop.cfg --cpu $isa --runs 1 >/dev/null 2>&1; then
        isas=$isas,$isa
    else
        skip "PyTorch against $isa" "this machine lacks the instruction set"
    fi
done
for case in ${ORACLE_CASES:-tabletop:256:1,3 yolov3-tiny:320:1 yolov4-tiny:416:1,3 yolov4-csp:192:1 yolov4:224:2 yolov4x-mish:160:1}; do
    try "PyTorch, layer by layer: $case" "${PYTHON:-python3}" "$root/tests/tools/compare_torch.py" --yolo "$YOLO" \
        --cfg-dir "$root/cfg" --isas "$isas" --double "$case"
    status 0
    out "${case%%:*}"
done
finish
