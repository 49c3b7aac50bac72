#!/usr/bin/env bash
# ultralytics 8.4.190: whoever finds everything, and nothing else, has an average precision of .995, not 1; other curves lose as well.
#
# compute_ap puts a point (1, 0) behind the curve and takes the area under 101 interpolated points, so the last hundredth is a triangle. COCO's rule
# gives 1 for the first curve. Figures of the two are not to be set side by side.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need ultralytics==8.4.190 torch==2.15.0
cat >"$work/measure.py" <<'PY'
import numpy as np
from ultralytics.utils.metrics import compute_ap


def coco(recall, precision): # its 101 points: the best precision at that recall or beyond
    return np.mean([max([p for r, p in zip(recall, precision) if r >= k / 100 - 1e-9], default=0) for k in range(101)])


for hits in ([1, 1, 1, 1], [1, 0, 1, 1, 0, 1], [0, 1, 1]):
    found = np.cumsum(hits)
    recall, precision = found / 4, found / np.arange(1, len(hits) + 1)
    print(f'hits and false alarms {"".join(map(str, hits))} of 4 objects: ultralytics {compute_ap(recall, precision)[0]:.4f}, '
          f'101 points of COCO {coco(recall, precision):.4f}')
PY
"$python" "$work/measure.py" >"$work/out.txt" 2>"$work/log" || cat "$work/log" >&2
seen "$work/out.txt" <<'END'
hits and false alarms 1111 of 4 objects: ultralytics 0.9950, 101 points of COCO 1.0000
hits and false alarms 101101 of 4 objects: ultralytics 0.7867, 101 points of COCO 0.7937
hits and false alarms 011 of 4 objects: ultralytics 0.3300, 101 points of COCO 0.3366
END
