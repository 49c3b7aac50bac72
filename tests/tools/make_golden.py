#!/usr/bin/env python3
"""Make the golden files of tests/golden from its .cfg files: make_golden.py [FOLDER]

For every NAME.cfg it writes NAME.weights (random, Darknet format) and NAME.golden (a random input, the
output of every layer, the detections), computed by torch_reference.py in double precision. Needs torch
and numpy. The files are checked in: run this only after changing a .cfg.

NAME.golden, little-endian:
    "YOLOGOLD", int32 version = 1, batch, channels, height, width, layers, float32 threshold
    float32 input[batch][channels][height][width]
    per layer: int32 channels, height, width, float32 output[2][c][h][w]: the first and the last image
        of the batch (small files); heads with activated values
    per image: int32 count, then per detection float32 x, y, w, h, confidence and int32 class
Detections are fractions of the network input, in the order of layer, cell, anchor, class.
"""
import glob
import os
import sys

import numpy as np
import torch

from torch_reference import Network

BATCH = 3


def randomise(net, rng):
    """Every output stays near magnitude 1, whatever the depth; statistics far from 0 and 1."""
    with torch.no_grad():
        for m in net.modules_by_layer.values():
            w = m.conv.weight
            fan = w[0].numel()
            w.copy_(torch.from_numpy(rng.standard_normal(w.shape) * np.sqrt(1.6 / fan)))
            n = m.conv.out_channels
            if m.has_bn:
                m.bn.weight.copy_(torch.from_numpy(rng.uniform(.7, 1.4, n) * rng.choice([1, 1, 1, -1], n)))
                m.bn.bias.copy_(torch.from_numpy(rng.normal(0, .3, n)))
                m.bn.running_mean.copy_(torch.from_numpy(rng.normal(0, .3, n)))
                m.bn.running_var.copy_(torch.from_numpy(rng.uniform(.3, 1.5, n)))
            else:
                m.conv.bias.copy_(torch.from_numpy(rng.normal(0, .3, n)))


def clear_threshold(net, outputs, wh):
    """A threshold that no confidence comes near, so that rounding cannot move a detection across it."""
    values = [d[5] for b in range(BATCH) for d in net.detections(outputs, b, wh, .05)]
    for i, y in enumerate(outputs):
        if net.is_head(i):
            values += net.head_values(i, y)[:, :, 4].flatten().tolist()
    values = np.sort(np.array(values))
    gaps = [(values[j + 1] - values[j], (values[j + 1] + values[j]) / 2) for j in range(len(values) - 1)
            if .15 < values[j] < .6]
    if not gaps:
        return .25
    gap, threshold = max(gaps)
    assert gap > 1e-3, gap
    return threshold


def make(cfg, seed):
    stem = cfg[:-len('.cfg')]
    rng = np.random.default_rng(seed)
    net = Network(cfg)
    randomise(net, rng)
    net.save(stem + '.weights')
    net = Network(cfg).load(stem + '.weights').double()
    width, height, channels = (int(net.options[k]) for k in ('width', 'height', 'channels'))
    x = rng.uniform(0, 1, (BATCH, channels, height, width)).astype('<f4')
    with torch.no_grad():
        outputs = net(torch.from_numpy(x).double())
        threshold = clear_threshold(net, outputs, (width, height))
        found = [net.detections(outputs, b, (width, height), threshold) for b in range(BATCH)]
    with open(stem + '.golden', 'wb') as f:
        f.write(b'YOLOGOLD')
        np.array([1, BATCH, channels, height, width, len(outputs)], '<i4').tofile(f)
        np.array([threshold], '<f4').tofile(f)
        x.tofile(f)
        for i, y in enumerate(outputs):
            np.array(y.shape[1:], '<i4').tofile(f)
            y = net.activate(i, y) if net.is_head(i) else y
            y[[0, BATCH - 1]].numpy().astype('<f4').tofile(f)
        for image in found:
            np.array([len(image)], '<i4').tofile(f)
            for bx, by, bw, bh, k, p in image:
                np.array([bx, by, bw, bh, p], '<f4').tofile(f)
                np.array([k], '<i4').tofile(f)
    largest = max(float(y.abs().max()) for y in outputs)
    smallest = min(float(y.abs().max()) for y in outputs)
    sizes = sum(os.path.getsize(stem + e) for e in ('.cfg', '.weights', '.golden'))
    print(f'{os.path.basename(stem)}: {len(outputs)} layers, {[len(i) for i in found]} detections above '
          f'{threshold:.4f}, layer maxima {smallest:.2g} to {largest:.2g}, {sizes / 1024:.0f} KiB')
    return sizes


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), '../golden')
    total = sum(make(cfg, seed) for seed, cfg in enumerate(sorted(glob.glob(os.path.join(folder, '*.cfg')))))
    print(f'{total / 1024:.0f} KiB in all')
    assert total < 1.8 * 1024 ** 2


if __name__ == '__main__':
    main()
