#!/usr/bin/env bash
# torchmetrics 1.9.0: its 101 points of recall are float32, and 36 of them lie above k/100: mean average precision comes out lower than
# pycocotools 2.0.11, which it calls, gives for the same boxes.
#
# A recall of exactly .03 does not reach the point that is written .029999999329 or .030000001192, as the case may be. Here 25 objects are found one by
# one with a false alarm between each two. One would expect the same number, as the documentation says that pycocotools computes it.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need torchmetrics==1.9.0 pycocotools==2.0.11 torch==2.15.0 torchvision==0.29.2
cat >"$work/measure.py" <<'PY'
import contextlib
import io

import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchmetrics.detection import MeanAveragePrecision

count = 25
boxes = [[20.0 * i, 0.0, 20.0 * i + 10, 10.0] for i in range(2 * count)] # every second one is there
scores = [1 - i / 100 for i in range(2 * count)]
metric = MeanAveragePrecision()
points = metric.rec_thresholds
print(f'of {len(points)} points {sum(p > k / 100 for k, p in enumerate(points))} lie above k/100')
metric.update([{'boxes': torch.tensor(boxes), 'scores': torch.tensor(scores), 'labels': torch.zeros(2 * count, dtype=torch.int)}],
              [{'boxes': torch.tensor(boxes[::2]), 'labels': torch.zeros(count, dtype=torch.int)}])


def xywh(b):
    return [b[0], b[1], b[2] - b[0], b[3] - b[1]]


with contextlib.redirect_stdout(io.StringIO()):
    there = float(metric.compute()['map_50'])
    coco = COCO()
    coco.dataset = {'info': {}, 'images': [{'id': 1}], 'categories': [{'id': 1}], 'annotations': [
        {'id': i + 1, 'image_id': 1, 'category_id': 1, 'bbox': xywh(b), 'area': 100, 'iscrowd': 0} for i, b in enumerate(boxes[::2])]}
    coco.createIndex()
    found = [{'image_id': 1, 'category_id': 1, 'bbox': xywh(b), 'score': float(np.float32(s))} for b, s in zip(boxes, scores)]
    e = COCOeval(coco, coco.loadRes(found), 'bbox')
    e.evaluate()
    e.accumulate()
    e.summarize()
print(f'AP50 by torchmetrics {there:.4f}, by pycocotools {e.stats[1]:.4f}')
PY
"$python" "$work/measure.py" >"$work/out.txt" 2>"$work/log" || cat "$work/log" >&2
seen "$work/out.txt" <<'END'
of 101 points 36 lie above k/100
AP50 by torchmetrics 0.5562, by pycocotools 0.5563
END
