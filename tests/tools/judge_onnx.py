#!/usr/bin/env python3
"""What an exported detector finds in another program, as lines of JSON that `yolo eval --results` reads:

    judge_onnx.py RUNTIME MODEL.onnx LIST OUT.jsonl [--inputs FOLDER]

MODEL.onnx has --boxes nms, or --boxes decoded, which is suppressed here as its metadata say. Pictures come to the input's size by OpenCV, as for
a user of that program; or FOLDER/NAME.npy is what `yolo dump` made of NAME.jpg: then nothing is different but the network and its boxes.
"""
import argparse
import json
import pathlib
import sys

import cv2
import numpy as np
import onnx

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from onnx_runtimes import RUNTIMES  # noqa: E402


CONFIDENCE, OVERLAP = .005, .45  # those of yolo eval


def overlaps(corners, exponent):
    """[k, k]: the IoU of all pairs, less the penalty on the distance of their centres."""
    low, high = corners[:, :2], corners[:, 2:]
    a, b = corners[:, None], corners[None]
    common = np.prod(np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None), 2)
    area = np.prod(high - low, 1)
    overlap = common / np.maximum(1e-12, area[:, None] + area[None] - common)
    if exponent is None:
        return overlap
    around = np.maximum(a[..., 2:], b[..., 2:]) - np.minimum(a[..., :2], b[..., :2])
    apart = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    return overlap - ((apart ** 2).sum(2) / np.maximum(1e-12, (around ** 2).sum(2))) ** exponent


def suppressed(output, size, rule):
    """[4 + classes, m] in pixels of the input to rows as --boxes nms has them; distances count on fractions of the picture."""
    exponent = rule['exponent'] if rule['overlap'] == 'diou' else None
    corners = np.vstack([output[:2] - output[2:4] / 2, output[:2] + output[2:4] / 2]).T.astype(float)
    rows = []
    for c, scores in enumerate(output[4:]):
        order = [i for i in np.argsort(-scores, kind='stable') if scores[i] > CONFIDENCE]
        goes = overlaps(corners[order] / [*size, *size], exponent) > OVERLAP
        kept = []
        for i in range(len(order)):
            if not goes[i, kept].any():
                kept.append(i)
                rows.append([0, *corners[order[i]], c, float(scores[order[i]])])
    return np.array(rows).reshape(-1, 7)


def by_opencv(picture, width, height):
    return cv2.cvtColor(cv2.resize(picture, (width, height)), cv2.COLOR_BGR2RGB).astype(np.float32).transpose(2, 0, 1)[None] / 255


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runtime', choices=RUNTIMES)
    parser.add_argument('model')
    parser.add_argument('list')
    parser.add_argument('out')
    parser.add_argument('--inputs', type=pathlib.Path)
    args = parser.parse_args()
    meta = {p.key: p.value for p in onnx.load(args.model).metadata_props}
    height, width = json.loads(meta['imgsz'])
    names = json.loads(meta['names'])
    assert meta['fit'] == 'stretch' and meta['boxes'] in ('nms', 'decoded')
    _, run = RUNTIMES[args.runtime](args.model, (1, 3, height, width), 2)
    with open(args.out, 'w') as out:
        for name in pathlib.Path(args.list).read_text().split():
            path = str(pathlib.Path(args.list).parent / name)
            picture = cv2.imread(path)
            h, w = picture.shape[:2]
            x = np.load(args.inputs / (pathlib.Path(name).stem + '.npy')) if args.inputs else by_opencv(picture, width, height)
            found = run(x)[0]
            found = found.reshape(-1, 7).astype(float) if meta['boxes'] == 'nms' else suppressed(found[0], (width, height), json.loads(meta['nms']))
            objects = []
            for _, x1, y1, x2, y2, c, confidence in found:
                corners = np.clip([x1 * w / width, y1 * h / height, x2 * w / width, y2 * h / height], 0, [w, h, w, h])
                objects.append({'class_id': int(c), 'name': names[str(int(c))], 'confidence': confidence,
                                'box': dict(zip(('x1', 'y1', 'x2', 'y2'), corners.tolist(), strict=True))})
            out.write(json.dumps({'image': name, 'width': w, 'height': h, 'objects': objects}) + '\n')


if __name__ == '__main__':
    main()
