#!/usr/bin/env python3
"""The oracle of tests/cli/test_eval.sh: pycocotools' twelve numbers.

coco_numbers.py truth FOLDER NAMES       FOLDER/images and FOLDER/labels (YOLO txt) as COCO annotations
coco_numbers.py numbers TRUTH RESULTS    NAME VALUE, a line a number
"""
import contextlib
import glob
import io
import json
import os
import struct
import sys


def jpeg_size(path):
    """Width and height from the frame header."""
    with open(path, 'rb') as file:
        data = file.read()
    at = 2
    while at < len(data):
        marker, length = data[at + 1], struct.unpack('>H', data[at + 2:at + 4])[0]
        if 0xc0 <= marker <= 0xcf and marker not in (0xc4, 0xc8, 0xcc):
            h, w = struct.unpack('>HH', data[at + 5:at + 9])
            return w, h
        at += 2 + length
    raise SystemExit(f'{path}: no frame')


# As Darknet's coco.names spells them.
SPELLING = {'aeroplane': 'airplane', 'motorbike': 'motorcycle', 'sofa': 'couch', 'tvmonitor': 'tv',
            'diningtable': 'dining table', 'pottedplant': 'potted plant'}


def truth(folder, names):
    with open(names, encoding='utf-8') as file:
        names = [line.strip() for line in file if line.strip()]
    images, annotations = [], []
    for path in sorted(glob.glob(os.path.join(folder, 'images', '*.jpg'))):
        base = os.path.basename(path)
        w, h = jpeg_size(path)
        image = int(os.path.splitext(base)[0])
        images.append({'id': image, 'file_name': base, 'width': w, 'height': h})
        label = os.path.join(folder, 'labels', os.path.splitext(base)[0] + '.txt')
        if not os.path.exists(label):
            continue
        with open(label, encoding='ascii') as file:
            for line in file:
                k, x, y, bw, bh = map(float, line.split())
                annotations.append({'id': len(annotations) + 1, 'image_id': image, 'category_id': int(k) + 1,
                                    'bbox': [(x - bw / 2) * w, (y - bh / 2) * h, bw * w, bh * h],
                                    'area': bw * w * bh * h, 'iscrowd': 0})
    categories = [{'id': k + 1, 'name': SPELLING.get(name, name)} for k, name in enumerate(names)]
    json.dump({'info': {}, 'images': images, 'annotations': annotations, 'categories': categories}, sys.stdout)


def numbers(truth_path, results_path):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(truth_path)
        e = COCOeval(coco, coco.loadRes(results_path), 'bbox')
        e.evaluate()
        e.accumulate()
        e.summarize()
    for name, value in zip('AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl'.split(), e.stats):
        print(f'{name} {float(value):.12g}')


if __name__ == '__main__':
    {'truth': truth, 'numbers': numbers}[sys.argv[1]](*sys.argv[2:])
