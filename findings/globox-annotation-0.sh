#!/usr/bin/env bash
# globox 2.9.0 numbers COCO annotations from 0, and pycocotools 2.0.11 takes a hit on annotation 0 for a miss.
#
# pycocotools keeps the id of the matched annotation and asks whether it is not 0. The one object of this set is found exactly; its AP is 0,
# and 1 once the same file counts from 1. One would expect the id not to matter.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need globox==2.9.0 pycocotools==2.0.11
cat >"$work/measure.py" <<'PY'
import contextlib
import io
import json
import os
import sys

from globox import Annotation, AnnotationSet, BoundingBox
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

os.chdir(sys.argv[1])
box = BoundingBox(label='cat', xmin=10, ymin=10, xmax=30, ymax=40)
AnnotationSet([Annotation('a.jpg', (96, 64), [box])]).save_coco('truth.json', auto_ids=True)
truth = json.load(open('truth.json'))
print('ids that globox writes:', *(a['id'] for a in truth['annotations']))
for first in (0, 1):
    for number, a in enumerate(truth['annotations']):
        a['id'] = number + first
    truth['info'] = {}
    json.dump(truth, open('t.json', 'w'))
    found = [{'image_id': a['image_id'], 'category_id': a['category_id'], 'bbox': a['bbox'], 'score': .9} for a in truth['annotations']]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO('t.json')
        e = COCOeval(coco, coco.loadRes(found), 'bbox')
        e.evaluate()
        e.accumulate()
        e.summarize()
    print(f'counted from {first}: AP {e.stats[0]:.3f}')
PY
"$python" "$work/measure.py" "$work" >"$work/out.txt" 2>"$work/log" || cat "$work/log" >&2
seen "$work/out.txt" <<'END'
ids that globox writes: 0
counted from 0: AP 0.000
counted from 1: AP 1.000
END
