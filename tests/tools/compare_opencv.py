#!/usr/bin/env python3
"""Weights that `yolo train` wrote, in OpenCV's dnn module: the same boxes as `yolo detect`.

    compare_opencv.py YOLO CFG WEIGHTS PICTURE... [--conf 0.25] [--least 1]

Pictures are resized to the network's input and written as PNG first, so that both programs get the same
pixels. All boxes before suppression are compared, class by class: each has a partner with IoU > 0.99 and a
confidence within 1e-3, but for those within 1e-3 of the threshold. Fails unless there are --least of them.
Needs cv2 and numpy.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import cv2
import numpy as np

IOU, CONFIDENCE = 0.99, 1e-3


def net_size(cfg):
    with open(cfg, encoding='utf-8') as f:
        pairs = [line.replace(' ', '').split('#')[0].strip().split('=') for line in f if '=' in line]
    values = dict(reversed(pairs))  # the first of equal keys counts
    return int(values['width']), int(values['height'])


def of_opencv(net, path, conf):
    """[(class, confidence, (x1, y1, x2, y2) as fractions)]"""
    blob = cv2.dnn.blobFromImage(cv2.imread(path), 1 / 255, swapRB=True)
    net.setInput(blob)
    found = []
    for rows in net.forward(net.getUnconnectedOutLayersNames()):
        for row in rows.reshape(-1, rows.shape[-1]):
            x, y, w, h = row[:4]
            for k in np.flatnonzero(row[5:] > conf):
                found.append((int(k), float(row[5 + k]), (x - w / 2, y - h / 2, x + w / 2, y + h / 2)))
    return found


def of_yolo(program, cfg, weights, path, conf):
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([program, 'detect', path, '--cfg', cfg, '--weights', weights, '--conf', str(conf),
                        '--iou', '1', '--max-det', '0', '--no-save', '--format', 'yolo', '--save-conf', '-q',
                        '--stretch', '--out', out], check=True)
        with open(os.path.join(out, 'labels', os.path.basename(path)[:-4] + '.txt'), encoding='utf-8') as f:
            rows = [[float(v) for v in line.split()] for line in f]
    return [(int(k), p, (x - w / 2, y - h / 2, x + w / 2, y + h / 2)) for k, x, y, w, h, p in rows]


def clipped(box):
    return tuple(min(max(float(v), 0), 1) for v in box)


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0
    area = lambda r: (r[2] - r[0]) * (r[3] - r[1])
    return w * h / (area(a) + area(b) - w * h)


def without_partner(boxes, others, conf):
    lonely = []
    for k, p, box in boxes:
        if p > conf + CONFIDENCE and not any(
                k == other_k and abs(p - q) <= CONFIDENCE and iou(clipped(box), clipped(other)) > IOU
                for other_k, q, other in others):
            lonely.append((k, p, box))
    return lonely


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('yolo')
    parser.add_argument('cfg')
    parser.add_argument('weights')
    parser.add_argument('pictures', nargs='+')
    parser.add_argument('--conf', type=float, default=0.25, help='at least 0.2, below which OpenCV itself is silent')
    parser.add_argument('--least', type=int, default=1)
    args = parser.parse_args()
    size = net_size(args.cfg)
    net = cv2.dnn.readNetFromDarknet(args.cfg, args.weights)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        for i, picture in enumerate(args.pictures):
            path = os.path.join(folder, f'{i}.png')
            cv2.imwrite(path, cv2.resize(cv2.imread(picture), size))
            ours = of_yolo(args.yolo, args.cfg, args.weights, path, args.conf)
            theirs = of_opencv(net, path, args.conf)
            for name, lonely in (('yolo', without_partner(ours, theirs, args.conf)),
                                 ('OpenCV', without_partner(theirs, ours, args.conf))):
                if lonely:
                    sys.exit(f'{picture}: {len(lonely)} boxes of {name} alone, as {lonely[0]}')
            total += len(ours)
    if total < args.least:
        sys.exit(f'{total} boxes: too few to compare')
    print(f'{total} boxes of {len(args.pictures)} pictures agree')


if __name__ == '__main__':
    main()
