#!/usr/bin/env python3
"""Golden values of the detection losses: tests/tools/make_loss_golden.py tests/golden/loss.bin

The loss functions are written here once more, from their formulas, in double precision, and PyTorch
differentiates them. Needs PyTorch 1.13 or later.

File, little-endian: "LOSS" and the number of cases; then per case
  length and text of the section (a multiple of 4); width, height, channels of the grid, images, number of truths;
  truths: image, class, cx, cy, w, h (2 int32, 4 float32);
  input of the head, channels last, float32;
  box, objectness, classes, iou_sum, assignments, truths used (6 float32);
  gradient with respect to the input, channels last, float32.
"""
import math
import random
import struct
import sys

import torch

torch.set_default_dtype(torch.float64)

GAIN = {False: 16.0, True: 4.0}
YOLOV4 = [12, 16, 19, 36, 40, 28, 36, 75, 76, 55, 72, 146]


def overlap(kind, p, t):
    """1 - loss of two boxes (centre, size); alpha of CIoU is a constant."""
    low = torch.maximum(p[:2] - p[2:] / 2, t[:2] - t[2:] / 2)
    high = torch.minimum(p[:2] + p[2:] / 2, t[:2] + t[2:] / 2)
    common = (high - low).clamp(min=0).prod()
    union = p[2:].prod() + t[2:].prod() - common
    iou = common / union
    hull = torch.maximum(p[:2] + p[2:] / 2, t[:2] + t[2:] / 2) - torch.minimum(
        p[:2] - p[2:] / 2, t[:2] - t[2:] / 2)
    if kind == "giou":
        return iou - (hull.prod() - union) / hull.prod()
    if kind in ("diou", "ciou"):
        value = iou - ((p[:2] - t[:2]) ** 2).sum() / (hull ** 2).sum()
        if kind == "ciou":
            v = 4 / math.pi ** 2 * (torch.atan(t[2] / t[3]) - torch.atan(p[2] / p[3])) ** 2
            alpha = (v / (1 - iou + v + 1e-6)).detach()
            value = value - alpha * v
        return value
    return iou


def cross_entropy(z, t):
    return torch.nn.functional.binary_cross_entropy_with_logits(z, torch.as_tensor(t), reduction="none")


def usable(truth, classes):
    _, c, x, y, w, h = truth
    return 0 <= c < classes and 0 <= x <= 1 and 0 <= y <= 1 and w > 0 and h > 0


class Yolo:
    def __init__(self, options, net, grid, gaussian):
        self.o, self.net, self.grid, self.gaussian = options, net, grid, gaussian
        self.anchors = torch.tensor(options["anchors"]).reshape(-1, 2)
        self.s = options.get("scale_x_y", 1.0)
        self.new = bool(options.get("new_coords", 0))
        self.side = {"center": 0.0, "left_top": 0.5, "right_bottom": -0.5}[options.get("yolo_point", "center")]

    def split(self, z):
        """Raw x y w h, sigmas (or None), objectness, classes."""
        if self.gaussian:
            return z[0:8:2], z[1:8:2], z[8], z[9:]
        return z[:4], None, z[4], z[5:]

    def value(self, raw):
        p = raw[:2] if self.new else torch.sigmoid(raw[:2])
        return torch.cat([self.s * p - (self.s - 1) / 2, raw[2:]])

    def box(self, v, x, y, slot):
        unit = self.anchors[self.o["mask"][slot]] / torch.tensor([float(n) for n in self.net])
        size = (4 * v[2:] ** 2 if self.new else torch.exp(v[2:])) * unit
        cell = torch.tensor([float(x), float(y)])
        centre = (cell + v[:2]) / torch.tensor([float(n) for n in self.grid]) + self.side * size
        return torch.cat([centre, size])

    def probability(self, z):
        return z if self.new else torch.sigmoid(z)

    def multiplier(self, c):
        counts = self.o.get("counters_per_class")
        if not counts:
            return 1.0
        return min(max(counts) / max(counts[c], 1), self.o.get("max_delta", 1e30))

    def shape_overlap(self, kind, anchor, t):
        a = self.anchors[anchor] / torch.tensor([float(n) for n in self.net])
        zero = torch.zeros(2)
        return float(overlap(kind, torch.cat([zero, a]), torch.cat([zero, t[2:]])))

    def loss(self, z, all_truths):
        """z[n][y][x][slot][entry] -> parts"""
        o, parts = self.o, dict(box=0.0, obj=0.0, cls=0.0, iou=0.0, assigned=0, truths=0)
        for n in range(z.shape[0]):
            truths = [t for t in all_truths if t[0] == n][:o.get("max", 200)]
            truths = [t for t in truths if usable(t, o["classes"])]
            parts["truths"] += len(truths)
            self.image(z[n], truths, parts)
        scale = o.get("delta_normalizer", 1.0)
        for k in ("box", "obj", "cls"):
            parts[k] = parts[k] * scale
        return parts

    def image(self, z, truths, parts):
        o = self.o
        width, height = self.grid
        boxes = [torch.tensor(t[2:]) for t in truths]
        given, target, weight = {}, {}, {}
        keys = [(y, x, s) for y in range(height) for x in range(width) for s in range(len(o["mask"]))]
        for key in keys:
            y, x, s = key
            with torch.no_grad():
                raw, _, _, classes = self.split(z[y, x, s])
                p = self.box(self.value(raw), x, y, s)
                ious = [float(overlap("iou", p, b)) for b in boxes]
            best = max(ious, default=0.0)
            target[key], weight[key], given[key] = 0.0, o.get("obj_normalizer", 1.0), []
            if best > o.get("ignore_thresh", 0.5) and float(self.probability(classes).max()) > 0.25:
                if o.get("objectness_smooth"):
                    target[key] = best
                else:
                    weight[key] = 0.0
            if best > o.get("truth_thresh", 1.0):
                target[key] = best ** 2 if o.get("objectness_smooth") else 1.0
                weight[key] = o.get("obj_normalizer", 1.0)
                given[key].append(ious.index(best))
        for i, b in enumerate(boxes):
            point = (b[:2] - self.side * b[2:]).clamp(0, 1)
            x = min(int(point[0] * width), width - 1)
            y = min(int(point[1] * height), height - 1)
            fits = [self.shape_overlap("iou", a, b) for a in range(len(self.anchors))]
            best = fits.index(max(fits))
            limit = o.get("iou_thresh", 1.0)
            for s, a in enumerate(o["mask"]):
                near = limit < 1 and self.shape_overlap(o.get("iou_thresh_kind", "iou"), a, b) > limit
                if a != best and not near:
                    continue
                key = (y, x, s)
                if i not in given[key]:
                    given[key].append(i)
                weight[key] = self.multiplier(truths[i][1]) * o.get("obj_normalizer", 1.0)
                if o.get("objectness_smooth"):
                    with torch.no_grad():
                        p = self.box(self.value(self.split(z[y, x, s])[0]), x, y, s)
                        target[key] = max(target[key], float(overlap("iou", p, b)))
                else:
                    target[key] = 1.0
        for key in keys:
            raw, _, obj, classes = self.split(z[key])
            f = (obj - target[key]) ** 2 / 2 if self.new else cross_entropy(obj, target[key])
            parts["obj"] = parts["obj"] + weight[key] * f
            if given[key]:
                parts["cls"] = parts["cls"] + self.class_loss(classes, [truths[i][1] for i in given[key]])
                share = 1 / len(given[key]) if o.get("iou_thresh", 1.0) < 1 else 1.0
                for i in given[key]:
                    parts["box"] = parts["box"] + share * self.box_loss(z, key, boxes[i], truths[i][1],
                                                                        share, parts)

    def class_loss(self, z, present):
        o, total = self.o, 0.0
        for c in range(o["classes"]):
            yes = c in present
            m = self.multiplier(c) if yes else 1.0
            if o.get("focal_loss"):
                p = self.probability(z[c])
                q = p if yes else 1 - p
                f = -(1 - q) ** 2 * torch.log(q) / 2
            else:
                eps = o.get("label_smooth_eps", 0.0)
                t = float(yes) * (1 - eps) + eps / 2
                f = (z[c] - t) ** 2 / 2 if self.new else cross_entropy(z[c], t)
            total = total + o.get("cls_normalizer", 1.0) * m * f
        return total

    def box_loss(self, z, key, truth, class_id, share, parts):
        o = self.o
        y, x, s = key
        kind = o.get("iou_loss", "mse")
        m = self.multiplier(class_id)
        norm = o.get("iou_normalizer", 0.75)
        raw, sigma, _, _ = self.split(z[key])
        with torch.no_grad():
            parts["iou"] += float(overlap("iou", self.box(self.value(raw), x, y, s), truth))
        parts["assigned"] += 1
        total = 0.0
        if kind != "mse":
            clipped = raw * 1.0
            limit = o.get("max_delta", 1e30) * share * o.get("delta_normalizer", 1.0)
            clipped.register_hook(lambda g: g.clamp(-limit, limit))
            p = self.box(self.value(clipped), x, y, s)
            total = total + m * norm * GAIN[self.new] * (1 - overlap(kind, p, truth))
        anchor = self.anchors[o["mask"][s]]
        net = torch.tensor([float(n) for n in self.net])
        point = (truth[:2] - self.side * truth[2:]).clamp(0, 1)
        t_xy = point * torch.tensor([float(n) for n in self.grid]) - torch.tensor([float(x), float(y)])
        ratio = truth[2:] * net / anchor
        t_wh = torch.sqrt(ratio / 4) if self.new else torch.log(ratio)
        scale = 2 - truth[2] * truth[3]
        v = self.value(raw)
        if self.gaussian:
            target = torch.cat([t_xy, t_wh])
            d = torch.sigmoid(sigma) + 0.3

            def g(value, deviation):
                density = torch.exp(-((target - value) / deviation) ** 2 / 2) / (
                    deviation * math.sqrt(2 * math.pi))
                return (-torch.log(density + 1e-9) / 2).sum() * scale * m

            if kind == "mse":
                total = total + norm * g(v, d.detach())
            total = total + o.get("uc_normalizer", 1.0) * g(v.detach(), d)
        elif kind == "mse":
            q = ((t_xy + (self.s - 1) / 2) / self.s).clamp(0, 1)
            if self.new:
                f = ((raw[:2] - q) ** 2 / 2).sum()
            else:
                entropy = -torch.special.xlogy(q, q) - torch.special.xlogy(1 - q, 1 - q)
                f = (cross_entropy(raw[:2], q) - entropy).sum()
            total = total + m * norm * scale * (self.s * f + ((raw[2:] - t_wh) ** 2 / 2).sum())
        return total


class Region:
    def __init__(self, options, net, grid):
        self.o, self.grid = options, grid
        self.anchors = torch.tensor(options["anchors"]).reshape(-1, 2)

    def box(self, z, x, y, s):
        grid = torch.tensor([float(n) for n in self.grid])
        centre = (torch.sigmoid(z[:2]) + torch.tensor([float(x), float(y)])) / grid
        return torch.cat([centre, torch.exp(z[2:4]) * self.anchors[s] / grid])

    def loss(self, z, all_truths):
        o, parts = self.o, dict(box=0.0, obj=0.0, cls=0.0, iou=0.0, assigned=0, truths=0)
        width, height = self.grid
        for n in range(z.shape[0]):
            truths = [t for t in all_truths if t[0] == n and usable(t, o["classes"])]
            parts["truths"] += len(truths)
            owner = {}
            for i, t in enumerate(truths):
                b = torch.tensor(t[2:])
                x, y = min(int(t[2] * width), width - 1), min(int(t[3] * height), height - 1)
                fits = []
                for s in range(len(self.anchors)):
                    shape = self.box(z[n, y, x, s].detach(), x, y, s)[2:]
                    if o.get("bias_match"):
                        shape = self.anchors[s] / torch.tensor([float(g) for g in self.grid])
                    zero = torch.zeros(2)
                    fits.append(float(overlap("iou", torch.cat([zero, shape]), torch.cat([zero, b[2:]]))))
                owner[(y, x, fits.index(max(fits)))] = i
            for y in range(height):
                for x in range(width):
                    for s in range(len(self.anchors)):
                        self.place(z[n, y, x, s], (y, x, s), truths, owner, parts)
        return parts

    def place(self, z, key, truths, owner, parts):
        o = self.o
        y, x, s = key
        obj = torch.sigmoid(z[4])
        p = self.box(z.detach(), x, y, s)
        if key not in owner:
            best = max((float(overlap("iou", p, torch.tensor(t[2:]))) for t in truths), default=0.0)
            if not best > o.get("thresh", 0.5):
                parts["obj"] = parts["obj"] + o.get("noobject_scale", 1.0) * obj ** 2 / 2
            return
        t = truths[owner[key]]
        b = torch.tensor(t[2:])
        iou = float(overlap("iou", p, b))
        parts["iou"] += iou
        parts["assigned"] += 1
        target = iou if o.get("rescore") else 1.0
        parts["obj"] = parts["obj"] + o.get("object_scale", 1.0) * (target - obj) ** 2 / 2
        grid = torch.tensor([float(g) for g in self.grid])
        t_xy = b[:2] * grid - torch.tensor([float(x), float(y)])
        t_wh = torch.log(b[2:] * grid / self.anchors[s])
        square = ((torch.sigmoid(z[:2]) - t_xy) ** 2).sum() + ((z[2:4] - t_wh) ** 2).sum()
        parts["box"] = parts["box"] + o.get("coord_scale", 1.0) * square / 2
        scale = o.get("class_scale", 1.0)
        if o.get("softmax"):
            q = torch.softmax(z[5:], 0)[t[1]]
            f = -(1 - q) ** 2 * torch.log(q) / 2 if o.get("focal_loss") else -torch.log(q)
        else:
            onehot = torch.nn.functional.one_hot(torch.tensor(t[1]), o["classes"]).double()
            f = ((z[5:] - onehot) ** 2).sum() / 2
        parts["cls"] = parts["cls"] + scale * f


def section(kind, options):
    lines = ["[%s]" % kind]
    for key, value in options.items():
        text = ",".join(repr(v) for v in value) if isinstance(value, list) else str(value)
        lines.append("%s=%s" % (key, text))
    return "\n".join(lines) + "\n"


def to_float(v):
    return struct.unpack("<f", struct.pack("<f", v))[0]


def make_truths(rng, images, anchors, net, classes):
    """Sizes around those of the anchors, some on top of each other, one at the far corner, some unusable."""
    truths = []
    for n in range(images):
        for _ in range(4):
            a = rng.randrange(len(anchors) // 2)
            w = min(0.95, anchors[2 * a] / net[0] * math.exp(rng.uniform(-0.4, 0.4)))
            h = min(0.95, anchors[2 * a + 1] / net[1] * math.exp(rng.uniform(-0.4, 0.4)))
            truths.append([n, rng.randrange(classes), rng.uniform(0.02, 0.98), rng.uniform(0.02, 0.98), w, h])
        twin = list(truths[-1])
        twin[1], twin[4] = (twin[1] + 1) % classes, twin[4] * 1.1
        truths.append(twin)
        truths.append([n, 0, 1.0, 1.0, 0.2, 0.3])
        truths.append([n, classes, 0.5, 0.5, 0.2, 0.3])
        truths.append([n, 0, 0.5, 0.5, 0.0, 0.3])
    return [[t[0], t[1]] + [to_float(v) for v in t[2:]] for t in truths]


def make_case(out, rng, kind, options):
    net = grid = (4, 3)
    images, classes = 2, options["classes"]
    gaussian = kind == "Gaussian_yolo"
    slots = options["num"] if kind == "region" else len(options["mask"])
    entries = classes + (9 if gaussian else 5)
    truths = make_truths(rng, images, options["anchors"], net, classes)
    shape = (images, grid[1], grid[0], slots, entries)
    count = images * grid[0] * grid[1] * slots * entries
    if options.get("new_coords"):
        values = [to_float(rng.uniform(0.05, 0.95)) for _ in range(count)]
    else:
        values = [to_float(rng.gauss(0, 0.8)) for _ in range(count)]
    z = torch.tensor(values).reshape(shape).requires_grad_(True)
    loss = Region(options, net, grid) if kind == "region" else Yolo(options, net, grid, gaussian)
    parts = loss.loss(z, truths)
    (parts["box"] + parts["obj"] + parts["cls"]).backward()
    text = section(kind, options).encode()
    text += b"\n" * (-len(text) % 4)
    out.write(struct.pack("<i", len(text)) + text)
    out.write(struct.pack("<5i", grid[0], grid[1], slots * entries, images, len(truths)))
    for t in truths:
        out.write(struct.pack("<2i4f", *t))
    out.write(struct.pack("<%df" % count, *values))
    out.write(struct.pack("<6f", float(parts["box"]), float(parts["obj"]), float(parts["cls"]), parts["iou"],
                          parts["assigned"], parts["truths"]))
    out.write(struct.pack("<%df" % count, *z.grad.flatten().tolist()))
    print("%-14s box %9.4f obj %9.4f cls %9.4f  %d assignments, %d truths" % (
        kind, parts["box"], parts["obj"], parts["cls"], parts["assigned"], parts["truths"]))


def cases():
    anchors = [v / 100 * 3 for v in YOLOV4]
    base = dict(classes=3, num=6, mask=[0, 3, 5], anchors=anchors)
    for kind in ("mse", "iou", "giou", "diou", "ciou"):
        for new in (0, 1):
            yield "yolo", dict(base, iou_loss=kind, new_coords=new, scale_x_y=2.0 if new else 1.2,
                               iou_normalizer=0.07, ignore_thresh=0.4, cls_normalizer=0.5, obj_normalizer=2.0)
    yield "yolo", dict(base, iou_loss="ciou", iou_thresh=0.2, iou_thresh_kind="giou", label_smooth_eps=0.1,
                       max_delta=0.3, delta_normalizer=0.5, truth_thresh=0.6)
    yield "yolo", dict(base, iou_loss="diou", iou_thresh=0.3, iou_thresh_kind="ciou", objectness_smooth=1,
                       ignore_thresh=0.3, new_coords=1, scale_x_y=2.0, truth_thresh=0.5)
    yield "yolo", dict(base, counters_per_class=[10, 30, 90], max_delta=4.0, focal_loss=1, objectness_smooth=1,
                       ignore_thresh=0.3)
    yield "yolo", dict(base, iou_loss="giou", focal_loss=1, new_coords=1, max=3)
    yield "Gaussian_yolo", dict(base, scale_x_y=1.1)
    yield "Gaussian_yolo", dict(base, scale_x_y=1.1, iou_loss="ciou", yolo_point="left_top", uc_normalizer=0.3,
                                iou_thresh=0.3)
    yield "Gaussian_yolo", dict(base, yolo_point="right_bottom", uc_normalizer=0.3, label_smooth_eps=0.1)
    region = dict(classes=3, num=3, anchors=[0.6, 0.9, 1.5, 1.2, 3.0, 2.5], thresh=0.4)
    yield "region", dict(region, softmax=1, bias_match=1, coord_scale=1.5, object_scale=5.0,
                         noobject_scale=0.5, class_scale=2.0)
    yield "region", dict(region, rescore=1)
    yield "region", dict(region, softmax=1, focal_loss=1, rescore=1, bias_match=1)


def main():
    rng = random.Random(4)
    every = list(cases())
    with open(sys.argv[1], "wb") as out:
        out.write(b"LOSS" + struct.pack("<i", len(every)))
        for kind, options in every:
            make_case(out, rng, kind, options)


if __name__ == "__main__":
    main()
