#!/usr/bin/env python3
"""A training step of a Darknet network in PyTorch, timed: what `yolo bench --train` is held against.

    torch_train.py CFG --imgsz 416 --batch 4 [--freeze 0-28] [--runs 5] [--threads 2] [--compile] [--channels-last]

Written as a user would: nn.Conv2d, nn.BatchNorm2d, autograd, torch.optim.SGD; frozen layers get
requires_grad False and eval(). A step is forward, the YOLOv4 loss (CIoU, cross-entropy; ignored and several
anchors as the cfg asks), backward and update of random pictures with eight boxes each. --compile sends the network
through torch.compile, --channels-last lays weights and pictures so. Prints one JSON object.
"""
import argparse
import json
import math
import resource
import time

import torch
import torch.nn.functional as F

from torch_reference import Network, floats, ints

TRUTHS = 8


def corners(b):
    return b[..., :2] - b[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2


def overlap(a, b):
    (a_low, a_high), (b_low, b_high) = corners(a), corners(b)
    common = (torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp(min=0).prod(-1)
    return common / (a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - common + 1e-9)


def ciou(p, t):
    iou = overlap(p, t)
    (p_low, p_high), (t_low, t_high) = corners(p), corners(t)
    diagonal = ((torch.maximum(p_high, t_high) - torch.minimum(p_low, t_low)) ** 2).sum(-1) + 1e-9
    apart = ((p[..., :2] - t[..., :2]) ** 2).sum(-1)
    v = 4 / math.pi ** 2 * (torch.atan(t[..., 2] / t[..., 3]) - torch.atan(p[..., 2] / p[..., 3])) ** 2
    with torch.no_grad():
        alpha = v / (1 - iou + v + 1e-6)
    return iou - apart / diagonal - alpha * v


class HeadLoss:
    def __init__(self, options, imgsz, h, w):
        get = lambda key, fallback: float(options.get(key, fallback))
        self.anchors = torch.tensor(floats(options, 'anchors')).view(-1, 2) / imgsz
        self.mask = ints(options, 'mask')
        self.classes = int(options['classes'])
        self.scale, self.ignore = get('scale_x_y', 1), get('ignore_thresh', 0.5)
        self.iou_thresh, self.box_weight = get('iou_thresh', 1), get('iou_normalizer', 0.75)
        y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing='ij')
        self.cells = torch.stack((x, y), -1).float()
        self.size = torch.tensor((w, h)).float()

    def assign(self, boxes):
        """(truth, image, slot, y, x) of every assigned anchor; boxes: [images, TRUTHS, 4]."""
        flat = boxes.view(-1, 4)
        small = torch.minimum(flat[:, None, 2:], self.anchors[None]).prod(-1)
        iou = small / (flat[:, None, 2:].prod(-1) + self.anchors.prod(-1)[None] - small)
        wanted = iou > self.iou_thresh
        wanted[torch.arange(len(flat)), iou.argmax(1)] = True
        truth, slot = wanted[:, self.mask].nonzero(as_tuple=True)
        x, y = (flat[truth, :2] * self.size).long().unbind(1)
        return truth, truth // TRUTHS, slot, y, x

    def __call__(self, z, boxes, labels):
        n, _, h, w = z.shape
        z = z.view(n, len(self.mask), 5 + self.classes, h, w).permute(0, 1, 3, 4, 2)
        xy = (torch.sigmoid(z[..., :2]) * self.scale - (self.scale - 1) / 2 + self.cells) / self.size
        wh = torch.exp(z[..., 2:4]) * self.anchors[self.mask].view(1, -1, 1, 1, 2)
        predicted = torch.cat((xy, wh), -1)
        truth, image, slot, y, x = self.assign(boxes)
        with torch.no_grad():
            best = overlap(predicted.detach().view(n, -1, 1, 4), boxes[:, None]).amax(2)
            counts = (best <= self.ignore).view(n, -1, h, w)
            target = torch.zeros(n, len(self.mask), h, w)
            target[image, slot, y, x] = 1
            counts[image, slot, y, x] = True
            wanted = F.one_hot(labels.view(-1)[truth], self.classes).float()
        at = z[image, slot, y, x]
        box = (1 - ciou(predicted[image, slot, y, x], boxes.view(-1, 4)[truth])).sum()
        objectness = F.binary_cross_entropy_with_logits(z[..., 4][counts], target[counts], reduction='sum')
        classes = F.binary_cross_entropy_with_logits(at[:, 5:], wanted, reduction='sum')
        return self.box_weight * box + objectness + classes


def frozen_layers(text):
    layers = set()
    for part in text.split(','):
        first, _, last = part.partition('-')
        layers.update(range(int(first), int(last or first) + 1))
    return layers


def main():
    parser = argparse.ArgumentParser(description='time a PyTorch training step of a Darknet network')
    parser.add_argument('cfg')
    parser.add_argument('--imgsz', type=int, default=416)
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--freeze', default='')
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--compile', action='store_true')
    parser.add_argument('--channels-last', action='store_true')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    net = Network(args.cfg).train()
    for m in net.modules_by_layer.values():
        torch.nn.init.kaiming_normal_(m.conv.weight)
    for i in frozen_layers(args.freeze) if args.freeze else ():
        if str(i) in net.modules_by_layer:
            net.modules_by_layer[str(i)].eval().requires_grad_(False)
    moving = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(moving, lr=1e-6, momentum=0.9, weight_decay=5e-4)
    images = torch.rand(args.batch, int(net.options['channels']), args.imgsz, args.imgsz)
    if args.channels_last:
        net, images = (x.to(memory_format=torch.channels_last) for x in (net, images))
    forward = torch.compile(net) if args.compile else net
    size = torch.rand(args.batch, TRUTHS, 2) * 0.45 + 0.05
    boxes = torch.cat((size / 2 + torch.rand(args.batch, TRUTHS, 2) * (1 - size), size), -1)
    heads = [i for i in range(len(net.kinds)) if net.is_head(i)]
    labels = torch.randint(int(net.layers[heads[0]]['classes']), (args.batch, TRUTHS))
    losses = {}
    times = []
    for run in range(args.runs + 1):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        outputs = forward(images)
        loss = 0
        for i in heads:
            if i not in losses:
                losses[i] = HeadLoss(net.layers[i], args.imgsz, *outputs[i].shape[2:])
            loss = loss + losses[i](outputs[i], boxes, labels)
        loss.backward()
        optimizer.step()
        if run > 0:  # the first one warms up, or compiles
            times.append((time.perf_counter() - start) * 1e3)
    assert math.isfinite(loss.item()), 'the loss is not finite'
    times.sort()
    print(json.dumps({
        'torch': torch.__version__, 'compiled': args.compile, 'threads': args.threads, 'batch': args.batch,
        'trainable': sum(p.numel() for p in moving), 'loss': loss.item(),
        'step_ms': {'median': times[len(times) // 2], 'min': times[0], 'max': times[-1]},
        'peak_rss_mb': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == '__main__':
    main()
