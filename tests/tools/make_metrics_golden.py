#!/usr/bin/env python3
"""Make tests/golden/metrics/: make_metrics_golden.py [FOLDER]

Generated pictures with the metrics expected of them. The COCO numbers come from pycocotools (which must be
installed, with numpy); Darknet's and VOC's are computed here, straight from their definitions and without
regard to speed. The files are checked in: run this only to add cases. The output does not depend on the day
or the Python version.

truth.json, results.json and numbers.txt are one more case as files for `yolo eval`: annotations and results
as COCO writes them, the keys in an unusual order, and pycocotools' twelve numbers.

cases.txt, one item a line:
    case NAME CLASSES
    i ID                          a picture; its objects follow
    t CLASS X Y W H AREA IGNORE
    d CLASS X Y W H SCORE
    stats 12 numbers              COCO's overall numbers
    c CLASS 12 numbers            the same of one class; a class not listed has -1 everywhere
    p CLASS 10 numbers            mean precision by IoU threshold (area all, 100 detections)
    r CLASS 10 numbers            highest recall by IoU threshold
    q CLASS 22 numbers            precision at recall 0, .1 .. 1 at IoU .5, then at .75
    m RULES POINTS CLASS AP       a class not listed has 0
    M RULES POINTS ALL PRESENT    means over all classes, over those with truths
    n CLASS HITS MISSES LOST IOU  Darknet's counts above score .25; CLASS -1: all classes
"""
import contextlib
import io
import json
import os
import random
import sys

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

FOLDER = os.path.join(os.path.dirname(__file__), '..', 'golden', 'metrics')
LIMIT = .5
THRESHOLD = .25


class Picture:
    def __init__(self, number):
        self.id = number
        self.truths = []  # (class, box, area, ignore)
        self.found = []   # (class, box, score)

    def truth(self, k, x, y, w, h, area=None, ignore=0):
        self.truths.append((k, (x, y, w, h), w * h if area is None else area, ignore))

    def detect(self, k, x, y, w, h, score):
        self.found.append((k, (x, y, w, h), score))


# ---------------------------------------------------------------------------------------------- expected

def coco_numbers(pictures, classes):
    truth, found = COCO(), COCO()
    for side in truth, found:
        side.dataset = {'images': [{'id': p.id} for p in pictures], 'annotations': [],
                        'categories': [{'id': k} for k in range(classes)]}
    for p in pictures:
        for k, box, area, ignore in p.truths:
            truth.dataset['annotations'].append(
                {'id': len(truth.dataset['annotations']) + 1, 'image_id': p.id, 'category_id': k,
                 'bbox': list(box), 'area': area, 'iscrowd': ignore})
        for k, box, score in p.found:
            found.dataset['annotations'].append(
                {'id': len(found.dataset['annotations']) + 1, 'image_id': p.id, 'category_id': k,
                 'bbox': list(box), 'area': box[2] * box[3], 'score': score, 'iscrowd': 0})
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found.createIndex()
        e = COCOeval(truth, found, 'bbox')
        e.evaluate()
        e.accumulate()
        e.summarize()
    return e.stats, e.eval['precision'], e.eval['recall']


def class_numbers(precision, recall, k):
    """The twelve numbers of one class, as its cells' plain means."""
    p, r = precision[:, :, k], recall[:, k]
    return [p[:, :, 0, 2].mean(), p[0, :, 0, 2].mean(), p[5, :, 0, 2].mean(),
            p[:, :, 1, 2].mean(), p[:, :, 2, 2].mean(), p[:, :, 3, 2].mean(),
            r[:, 0, 0].mean(), r[:, 0, 1].mean(), r[:, 0, 2].mean(),
            r[:, 1, 2].mean(), r[:, 2, 2].mean(), r[:, 3, 2].mean()]


def iou(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.
    union = a[2] * a[3] + b[2] * b[3] - w * h
    return w * h / union if union > 0 else 0.


def darknet_matches(pictures):
    """[(score, picture, index, class, truth, iou)]: every kept detection, in list order."""
    result = []
    for p in pictures:
        for d, (k, box, score) in enumerate(p.found):
            if score <= 0:
                continue
            best, truth = 0., None
            for g, t in enumerate(p.truths):
                o = iou(box, t[1])
                if t[0] == k and not t[3] and o > LIMIT and o > best:
                    best, truth = o, (p.id, g)
            if truth is None and any(t[0] == k and t[3] and iou(box, t[1]) > LIMIT for t in p.truths):
                continue
            result.append((score, p.id, d, k, truth, best))
    return result


def darknet_ap(pictures, classes, points):
    """Every class's precision and recall at every rank of one common list, as Darknet keeps them."""
    ranked = sorted(darknet_matches(pictures), key=lambda m: (-m[0], m[1], m[2]))
    total = [sum(t[0] == k and not t[3] for p in pictures for t in p.truths) for k in range(classes)]
    tp, fp, used, curve = [0] * classes, [0] * classes, set(), []
    for score, picture, index, k, truth, best in ranked:
        if truth is not None and truth not in used:
            used.add(truth)
            tp[k] += 1
        else:
            fp[k] += 1
        curve.append([(tp[c] / (tp[c] + fp[c]) if tp[c] else 0., tp[c] / total[c] if total[c] else 0.)
                      for c in range(classes)])
    result = []
    for k in range(classes):
        ap = 0.
        if points == 0 and curve:
            top, last = curve[-1][k]
            for rank in range(len(curve) - 2, -1, -1):
                p, r = curve[rank][k]
                top = max(top, p)
                ap += (last - r) * top
                last = r
            ap += last * top
        elif points:
            for i in range(points):
                ap += max((row[k][0] for row in curve if row[k][1] >= i / (points - 1)), default=0.)
            ap /= points
        result.append(ap if total[k] else 0.)
    return result, total


def darknet_counts(pictures, classes):
    """{class or -1: (hits, misses, lost, average iou)}"""
    taken, counts = set(), {k: [0, 0, 0.] for k in range(-1, classes)}
    for score, picture, index, k, truth, best in darknet_matches(pictures):
        if score > THRESHOLD:
            hit = truth is not None and truth not in taken
            for c in (-1, k):
                counts[c][0 if hit else 1] += 1
                counts[c][2] += best if hit else 0.
        if truth is not None:
            taken.add(truth)
    result = {}
    for k, (hits, misses, overlap) in counts.items():
        total = sum(k in (-1, t[0]) and not t[3] for p in pictures for t in p.truths)
        result[k] = hits, misses, total - hits, overlap / (hits + misses) if hits + misses else 0.
    return result


def voc_ap(pictures, classes, points):
    result, total = [], []
    for k in range(classes):
        found = [(s, p, i, b) for p in pictures for i, (c, b, s) in enumerate(p.found) if c == k]
        found.sort(key=lambda f: (-f[0], f[1].id, f[2]))
        n = sum(t[0] == k and not t[3] for p in pictures for t in p.truths)
        used, hits, curve = set(), 0, []
        for score, p, index, box in found:
            best, g = max([(iou(box, t[1]), -g) for g, t in enumerate(p.truths) if t[0] == k],
                          default=(0., 0))
            if best >= LIMIT and p.truths[-g][3]:
                continue
            if best >= LIMIT and (p.id, g) not in used:
                used.add((p.id, g))
                hits += 1
            curve.append((hits / (len(curve) + 1), hits / n if n else 0.))
        ap = 0.
        if points == 0:
            for r in range(1, n + 1):
                ap += max((c[0] for c in curve if c[1] >= r / n), default=0.) / n
        else:
            for i in range(points):
                ap += max((c[0] for c in curve if c[1] >= i / (points - 1)), default=0.) / points
        result.append(ap if n else 0.)
        total.append(n)
    return result, total


# ------------------------------------------------------------------------------------------------- cases

def quarter(value):
    return round(value * 4) / 4


class Maker:
    """Random pictures: truths, detections near them and elsewhere."""

    def __init__(self, seed, classes=3, side=(4, 200), truths=4, crowds=0., score_steps=10000, jitter=.15,
                 strays=3, repeats=1, fine=False, own_area=False):
        self.rng = random.Random(seed)
        self.__dict__.update(locals())

    def number(self, low, high):
        value = low + (high - low) * self.rng.random()
        return value if self.fine else quarter(value)

    def pick(self, n):
        return int(self.rng.random() * n)

    def score(self):
        return round(self.rng.random() * self.score_steps) / self.score_steps

    def box(self):
        low, high = self.side
        w, h = (low * (high / low) ** self.rng.random() for _ in range(2))
        w, h = (w, h) if self.fine else (quarter(w), quarter(h))
        return self.number(0, 400), self.number(0, 300), w, h

    def near(self, box):
        x, y, w, h = box
        j = self.jitter
        move = [1 + self.number(-j, j) if self.fine else 1 + j * (2 * self.rng.random() - 1)
                for _ in range(4)]
        near = x + w * (move[0] - 1), y + h * (move[1] - 1), w * move[2], h * move[3]
        return near if self.fine else tuple(quarter(v) for v in near)

    def picture(self, number):
        p = Picture(number)
        for _ in range(self.pick(2 * self.truths + 1)):
            box, k = self.box(), self.pick(self.classes)
            area = box[2] * box[3] * (.4 + .6 * self.rng.random()) if self.own_area else None
            p.truth(k, *box, area=area, ignore=int(self.rng.random() < self.crowds))
            for _ in range(self.pick(self.repeats + 2)):
                wrong = self.rng.random() < .1
                p.detect(self.pick(self.classes) if wrong else k, *self.near(box), self.score())
        for _ in range(self.pick(2 * self.strays + 1)):
            p.detect(self.pick(self.classes), *self.box(), self.score())
        return p

    def pictures(self, count):
        return [self.picture(i + 1) for i in range(count)]


def border_pictures():
    """Areas at 32^2 and 96^2 and beside them, in truths and in unmatched detections."""
    result = []
    for i, (w, h) in enumerate([(32, 32), (31.75, 32), (32.25, 32), (96, 96), (95.75, 96), (96.25, 96),
                                (16, 64), (0.25, 0.25), (100, 92.25)]):
        p = Picture(i + 1)
        p.truth(0, 10, 10, w, h)
        p.detect(0, 10, 10, w, h, .9 - i / 100)
        p.detect(0, 300, 300, w, h, .8 - i / 50)
        p.truth(1, 10, 10, w, h, area=1024 if i % 2 else 9216)
        p.detect(1, 10, 10, w * 1.25, h, .5)
        p.truth(1, 200, 10, w, h, area=1023.999 if i % 2 else 9216.001)
        p.detect(1, 200, 10, w, h * 1.5, .4)
        result.append(p)
    return result


def huge_pictures():
    """Truths and detections beyond 1e5 x 1e5 count nowhere."""
    p = Picture(1)
    p.truth(0, 0, 0, 1e5, 1e5)
    p.truth(0, 0, 0, 2e5, 2e5)
    p.truth(0, 0, 0, 50, 50)
    p.detect(0, 0, 0, 2e5, 2e5, .9)
    p.detect(0, 9e5, 0, 2e5, 2e5, .8)
    p.detect(0, 0, 0, 1e5, 1e5, .7)
    p.detect(0, 0, 0, 50, 40, .6)
    return [p]


def threshold_pictures():
    """IoU exactly .5, .55 .. .95 (where the numbers allow it): 100 x 20 boxes, cut in width."""
    result = []
    for i in range(45, 101, 5):
        p = Picture(i)
        p.truth(0, 0, 0, 100, 20)
        p.detect(0, 0, 0, i, 20, i / 200)
        p.truth(1, 7, 3, 20, 20)
        p.detect(1, 7, 3, 20, 20 * 100 / i, .5)
        result.append(p)
    return result


def count_pictures():
    """1, 10, 11, 100, 101 and 150 detections of a class; the good ones among the last."""
    result = []
    for i, n in enumerate([1, 10, 11, 100, 101, 150]):
        p = Picture(i + 1)
        for g in range(5):
            p.truth(0, 60 * g, 0, 50, 50)
        for d in range(n):
            good = n - d <= 5
            p.detect(0, 60 * (d % 5), 0 if good else 100, 50, 50 - d % 7, 1 - d / 256 if i % 2 else .5)
        result.append(p)
    return result


def same_pictures():
    """The very same box again and again, as truth and as detection."""
    result = []
    for i in range(4):
        p = Picture(i + 1)
        for g in range(i):
            p.truth(0, 20, 20, 64, 48, ignore=int(i == 3 and g == 1))
        for d in range(3):
            p.detect(0, 20, 20, 64, 48, .5 + .1 * (d % 2))
        result.append(p)
    return result


def flat_pictures():
    """No width, no height, neither; beside sound ones."""
    p, q = Picture(1), Picture(2)
    for k, (w, h) in enumerate([(0, 10), (10, 0), (0, 0), (10, 10)]):
        p.truth(k, 5, 5, w, h)
        p.detect(k, 5, 5, w, h, .75)
        q.truth(k, 5, 5, 10, 10, ignore=1)
        q.truth(k, 50, 50, 10, 10)
        q.detect(k, 5, 5, w, h, .5)
        q.detect(k, 50, 50, 10, 9, .25)
    return [p, q]


def crowd_pictures():
    """Small detections inside a crowd, a truth inside a crowd, a crowd taken several times."""
    p = Picture(1)
    p.truth(0, 0, 0, 300, 200, ignore=1)
    p.truth(0, 20, 20, 40, 40)
    p.truth(0, 100, 20, 40, 40)
    for d in range(8):
        p.detect(0, 20 + 20 * d, 20, 40, 40, .9 - .1 * d)
    p.detect(0, 280, 180, 40, 40, .95)
    p.detect(0, 400, 400, 40, 40, .15)
    q = Picture(2)
    q.truth(0, 0, 0, 50, 50, ignore=1)
    q.detect(0, 0, 0, 50, 50, .65)
    q.detect(0, 0, 0, 50, 50, .65)
    return [p, q]


def shuffled(pictures):
    return sorted(pictures, key=lambda p: p.id * 7919 % 101)


def emptied(pictures, truths, found):
    for p in pictures:
        if not truths:
            p.truths = []
        if not found:
            p.found = []
    return pictures


def shifted_scores(pictures):
    for p in pictures:
        p.found = [(k, (b[0] - 250, b[1] - 150, b[2], b[3]), s * 8 - 4) for k, b, s in p.found]
        p.truths = [(k, (b[0] - 250, b[1] - 150, b[2], b[3]), a, i) for k, b, a, i in p.truths]
    return pictures


def cases():
    """(name, classes, pictures)"""
    yield 'plain', 3, Maker(1).pictures(12)
    yield 'one class', 1, Maker(2, classes=1).pictures(15)
    yield 'one picture', 2, Maker(3, classes=2, truths=10).pictures(1)
    yield 'no detections', 3, emptied(Maker(4).pictures(5), True, False)
    yield 'no truths', 3, emptied(Maker(5).pictures(5), False, True)
    yield 'nothing', 2, emptied(Maker(6, classes=2).pictures(3), False, False)
    yield 'crowds', 2, Maker(7, classes=2, crowds=.4, repeats=3).pictures(12)
    yield 'only crowds', 2, Maker(8, classes=2, crowds=1.1).pictures(6)
    yield 'crowd by hand', 1, crowd_pictures()
    yield 'score ties', 3, Maker(9, score_steps=5, repeats=3).pictures(15)
    yield 'one score', 2, Maker(10, classes=2, score_steps=1, repeats=2).pictures(15)
    yield 'area borders', 2, border_pictures()
    yield 'beyond the largest area', 1, huge_pictures()
    yield 'area is not the box', 3, Maker(11, own_area=True, side=(20, 140)).pictures(15)
    yield 'exact thresholds', 2, threshold_pictures()
    yield 'counts about the limits', 1, count_pictures()
    yield 'over a hundred detections', 1, Maker(12, classes=1, truths=30, strays=150, repeats=4).pictures(3)
    yield 'same boxes', 1, same_pictures()
    yield 'zero area', 5, flat_pictures()
    yield 'eighty classes', 80, Maker(13, classes=80, truths=12, strays=8).pictures(20)
    yield 'classes without truth', 12, Maker(14, classes=12, truths=1, strays=5).pictures(6)
    yield 'dense and repeated', 2, Maker(15, classes=2, truths=20, repeats=4, side=(20, 60)).pictures(6)
    yield 'small', 2, Maker(16, classes=2, side=(.5, 30), fine=True, truths=5).pictures(10)
    yield 'large', 2, Maker(17, classes=2, side=(100, 900), jitter=.05).pictures(10)
    yield 'fine numbers', 3, Maker(18, fine=True, score_steps=1 << 40, repeats=2).pictures(10)
    yield 'pictures out of order', 2, shuffled(Maker(19, classes=2, score_steps=4, repeats=2).pictures(15))
    yield 'negative scores and places', 3, shifted_scores(Maker(20, score_steps=64).pictures(10))
    yield 'mostly right', 4, Maker(21, classes=4, jitter=.02, strays=1, side=(30, 200)).pictures(20)


# ------------------------------------------------------------------------------------------------ output

def text(value):
    value = float(value)
    return str(int(value)) if value == int(value) else repr(value)


def brief(values):
    return ' '.join(f'{float(v):.10g}' for v in values)


def write_case(out, name, classes, pictures):
    out.write(f"case {name.replace(' ', '_')} {classes}\n")
    for p in pictures:
        out.write(f'i {p.id}\n')
        for k, box, area, ignore in p.truths:
            out.write(f"t {k} {' '.join(map(text, box))} {text(area)} {ignore}\n")
        for k, box, score in p.found:
            out.write(f"d {k} {' '.join(map(text, box))} {text(score)}\n")
    pictures = sorted(pictures, key=lambda p: p.id)
    stats, precision, recall = coco_numbers(pictures, classes)
    out.write(f'stats {brief(stats)}\n')
    for k in range(classes):
        numbers = class_numbers(precision, recall, k)
        if max(numbers) >= 0:
            cells = precision[:, :, k, 0, 2]
            out.write(f'c {k} {brief(numbers)}\n')
            out.write(f'p {k} {brief(cells.mean(axis=1))}\n')
            out.write(f'r {k} {brief(recall[:, k, 0, 2])}\n')
            out.write(f'q {k} {brief(cells[0, ::10])} {brief(cells[5, ::10])}\n')
    for rules, ap_of in ('darknet', darknet_ap), ('voc', voc_ap):
        for points in 0, 11, 101:
            aps, total = ap_of(pictures, classes, points)
            for k, ap in enumerate(aps):
                if ap:
                    out.write(f'm {rules} {points} {k} {brief([ap])}\n')
            present = sum(n > 0 for n in total)
            mean = sum(aps) / present if present else -1
            out.write(f'M {rules} {points} {brief([sum(aps) / classes, mean])}\n')
    for k, (hits, misses, lost, overlap) in darknet_counts(pictures, classes).items():
        if k < 0 or hits + misses + lost:
            out.write(f'n {k} {hits} {misses} {lost} {brief([overlap])}\n')


def write_files(folder):
    """Crowds, score ties, areas of their own, over a hundred detections, a class and pictures without truth."""
    pictures = Maker(22, classes=6, crowds=.15, score_steps=20, repeats=3, own_area=True).pictures(14)
    pictures += emptied(Maker(23, classes=6).pictures(2), True, False)
    pictures += emptied(Maker(24, classes=6).pictures(2), False, True)
    pictures += count_pictures()[-1:]
    for i, p in enumerate(pictures):
        p.id = (i * 7919 + 31) % 1009
    pictures[3].detect(6, 10, 10, 50, 50, .9)
    categories = [{'id': 3 * k + 2, 'name': f'class {k}'} for k in range(7)]
    number = {'truth': 0}

    def annotation(p, truth):
        k, box, area, ignore = truth
        number['truth'] += 1
        return {'area': area, 'bbox': box, 'category_id': 3 * k + 2, 'id': number['truth'],
                'image_id': p.id, 'iscrowd': ignore}

    truth = {'annotations': [annotation(p, t) for p in pictures for t in p.truths],
             'images': [{'id': p.id, 'file_name': f'{p.id}.jpg'} for p in pictures],
             'categories': categories[::-1]}
    results = [{'image_id': p.id, 'category_id': 3 * k + 2, 'bbox': box, 'score': score}
               for p in pictures for k, box, score in p.found]
    for name, content in ('truth', truth), ('results', results):
        with open(os.path.join(folder, name + '.json'), 'w', encoding='ascii') as out:
            json.dump(content, out, separators=(',', ':'))
            out.write('\n')
    stats, _, _ = coco_numbers(sorted(pictures, key=lambda p: p.id), 7)
    names = 'AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl'.split()
    with open(os.path.join(folder, 'numbers.txt'), 'w', encoding='ascii') as out:
        for name, value in zip(names, stats):
            out.write(f'{name} {float(value):.12g}\n')


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else FOLDER
    path = os.path.join(folder, 'cases.txt')
    with open(path, 'w', encoding='ascii') as out:
        for name, classes, pictures in cases():
            write_case(out, name, classes, pictures)
    print(f'{path}: {os.path.getsize(path)} bytes')
    write_files(folder)


if __name__ == '__main__':
    main()
