#!/usr/bin/env python3
"""Compare detections with Darknet's: compare_detections.py REFERENCE.json FOUND.jsonl

REFERENCE is what `darknet detector test -out` writes (relative centre and size), FOUND what
`yolo detect --format jsonl` prints. Exit status 0 if every box of confidence >= SURE on either side has a
partner of its class on the other side with IoU >= MIN_IOU and a confidence within MAX_GAP; both are cut to
the picture first. Every exception is printed.
"""
import json
import os
import sys

SURE, MIN_IOU, MAX_GAP = .25, .97, .015


def clip(x1, y1, x2, y2):
    return max(x1, 0.), max(y1, 0.), min(x2, 1.), min(y2, 1.)


def read_reference(path):
    """{picture: [(class, confidence, box)]}"""
    with open(path, encoding='utf-8') as f:
        pictures = json.load(f)
    result = {}
    for p in pictures:
        boxes = []
        for o in p['objects']:
            r = o['relative_coordinates']
            x, y, w, h = r['center_x'], r['center_y'], r['width'] / 2, r['height'] / 2
            boxes.append((o['class_id'], o['confidence'], clip(x - w, y - h, x + w, y + h)))
        result[os.path.basename(p['filename'])] = boxes
    return result


def read_found(path):
    result = {}
    with open(path, encoding='utf-8') as f:
        for line in f:
            p = json.loads(line)
            if 'error' in p:
                sys.exit(f"  {p['image']}: {p['error']}")
            w, h = p['width'], p['height']
            result[os.path.basename(p['image'])] = [
                (o['class_id'], o['confidence'],
                 clip(o['box']['x1'] / w, o['box']['y1'] / h, o['box']['x2'] / w, o['box']['y2'] / h))
                for o in p['objects']]
    return result


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if not (w > 0 and h > 0):
        return 0.
    area = lambda r: (r[2] - r[0]) * (r[3] - r[1])
    return w * h / (area(a) + area(b) - w * h)


def without_partner(boxes, others):
    for k, p, box in boxes:
        if p < SURE:
            continue
        same = [(iou(box, b), q) for j, q, b in others if j == k]
        if not any(i >= MIN_IOU and abs(p - q) <= MAX_GAP for i, q in same):
            yield k, p, box, max(same, default=(0., 0.))


def main():
    reference, found = read_reference(sys.argv[1]), read_found(sys.argv[2])
    exceptions = 0
    if set(reference) != set(found):
        print('  pictures differ:', sorted(set(reference) ^ set(found)))
        exceptions += 1
    for picture in sorted(set(reference) & set(found)):
        sides = (('darknet', reference[picture], found[picture]), ('ours', found[picture], reference[picture]))
        for side, boxes, others in sides:
            for k, p, box, (best, q) in without_partner(boxes, others):
                print(f'  {picture}: only {side}: class {k} confidence {p:.4f} box '
                      f'{" ".join(f"{v:.4f}" for v in box)}; nearest: IoU {best:.4f} confidence {q:.4f}')
                exceptions += 1
    sys.exit(1 if exceptions else 0)


if __name__ == '__main__':
    main()
