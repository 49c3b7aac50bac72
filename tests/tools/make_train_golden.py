#!/usr/bin/env python3
"""Golden values of training: tests/tools/make_train_golden.py [NAME...] writes tests/golden/train/NAME.bin.

PyTorch in double precision trains the network tests/golden/train/NAME.cfg: layers from torch_reference.py
in train or eval mode, losses and assignment from make_loss_golden.py, autograd, torch.optim.SGD. One run
("case") for every row of the table of freezing. A second run with noise of the size of float rounding on
every convolution's output shows how well the numbers are determined: a seed is only taken if both agree
well below the tests' limits. Else some activation sits so close to its kink, some pair of pooled values so
close together or some prediction so close to a threshold that rounding decides which way the gradient goes.

File, little-endian, 4-byte units after the 8 bytes "YOLOTRAN":
  version, batch, channels, height, width, steps, batches, heads, tensors, cases, seed of the images;
  rate, momentum, decay, momentum of the statistics (float);
  per batch: number of truths, then image, class, cx, cy, w, h each (2 int, 4 float);
  tensors before training in .weights order: length, values;
  per case: policy (0 auto, 1 eval, 2 frozen, 3 train), number of frozen layers, their numbers;
    per step and head: box, objectness, classes, iou_sum, assignments (float): sums over the batch;
    per tensor: 0 or 1 and the gradient of the first step, as a sum over the batch (0: none, or left out);
    per tensor: 0, or 1 and the values after training (0: exactly as before).
Image values: for the noise of tests/unit/test.h, 0.5 + noise / 2, in order batch, image, channel, row, column.
Step k takes batch k mod batches.
"""
import os
import random
import struct
import sys

import numpy as np
import torch

import make_loss_golden as loss_golden
from torch_reference import Network

FOLDER = os.path.join(os.path.dirname(__file__), '..', 'golden', 'train')
VERSION, BATCH, STEPS, BATCHES = 1, 4, 10, 2
MOMENTUM, DECAY, BN_MOMENTUM = 0.9, 5e-4, 0.01
LARGEST_LOGIT = 15  # beyond, the reported entropy is bounded: probabilities count as 1e-8 at least
AUTO, EVAL, FROZEN, TRAIN = range(4)
NOISE = 1e-7  # of the largest output
DOUBT, DOUBT_OF_MOVE = 5e-5, 5e-4  # largest effect of that noise: half of the tests' limits

# (policy, frozen layers, whether gradients are stored)
NETWORKS = {
    'tiny': dict(rate=0.0001, seed=5, cases=[
        (AUTO, [], True),
        (EVAL, [], False),
        (FROZEN, [], False),
        (AUTO, range(0, 9), False),
        (AUTO, [10, 17], True),
        (EVAL, [*range(0, 9), 13], False),
        (TRAIN, [*range(0, 9), 13], False),
    ]),
    'pan': dict(rate=0.0005, seed=1, cases=[
        (AUTO, [], True),
        (AUTO, [*range(0, 7), 16, 24, 30], False),
    ]),
}


def noise(seed, count):
    values = np.empty(count, np.float32)
    state = seed
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xffffffff
        values[i] = (state >> 8) / 8388608 - 1
    return values


def head_options(options):
    parsed = {}
    for key, value in options.items():
        if key in ('iou_loss', 'iou_thresh_kind'):
            parsed[key] = value
        elif key == 'mask':
            parsed[key] = [int(v) for v in value.split(',')]
        elif key == 'anchors':
            parsed[key] = [float(v) for v in value.split(',')]
        else:
            parsed[key] = int(value) if key in ('classes', 'num', 'max', 'new_coords') else float(value)
    return parsed


class Run:
    """One network, its data and its first parameters."""

    def __init__(self, name):
        self.plan, self.name = NETWORKS[name], name
        self.cfg = os.path.join(FOLDER, name + '.cfg')
        net = Network(self.cfg)
        self.size = tuple(int(net.options[k]) for k in ('width', 'height', 'channels'))
        self.heads = [i for i, kind in enumerate(net.kinds) if kind == 'yolo']
        seed = self.plan['seed']
        w, h, c = self.size
        values = noise(seed, BATCHES * BATCH * c * h * w)
        self.images = (np.float32(0.5) + values / 2).reshape(BATCHES, BATCH, c, h, w)
        rng = random.Random(seed)
        head = head_options(net.layers[self.heads[0]])
        self.truths = [self.make_truths(rng, head) for _ in range(BATCHES)]
        self.initial = self.make_parameters(net, np.random.RandomState(seed))

    def make_truths(self, rng, head):
        truths = []
        for n in range(BATCH):
            for _ in range(rng.randrange(2, 6)):
                a = rng.randrange(head['num'])
                w, h = (min(0.9, head['anchors'][2 * a + k] / self.size[k] * np.exp(rng.uniform(-0.3, 0.3)))
                        for k in (0, 1))
                truths.append((n, rng.randrange(head['classes']), rng.uniform(w / 2, 1 - w / 2),
                               rng.uniform(h / 2, 1 - h / 2), w, h))
        return [t[:2] + tuple(loss_golden.to_float(v) for v in t[2:]) for t in truths]

    @staticmethod
    def make_parameters(net, rng):
        tensors = []
        for m in net.modules_by_layer.values():
            n = m.conv.out_channels
            bias = rng.normal(0, 0.3, n)
            if m.has_bn:
                tensors += [bias, rng.uniform(0.6, 1.4, n), rng.normal(0, 0.2, n), rng.uniform(0.5, 1.5, n)]
            else:
                tensors += [bias]
            fan_in = m.conv.weight[0].numel()
            tensors.append(rng.normal(0, 1 / np.sqrt(fan_in), m.conv.weight.shape))
        return [t.astype(np.float32) for t in tensors]

    def network(self):
        net = Network(self.cfg).double()
        with torch.no_grad():
            for t, value in zip(net.parameters_in_file_order(), self.initial):
                t.copy_(torch.from_numpy(value))
        return net

    @staticmethod
    def freeze(net, policy, frozen):
        """Modes as PyTorch's users set them; returns the optimiser's groups."""
        decaying, plain = [], []
        for key, m in net.modules_by_layer.items():
            is_frozen = int(key) in frozen
            m.train(not is_frozen)
            for p in m.parameters():
                p.requires_grad_(not is_frozen)
            if m.has_bn:
                m.bn.momentum = BN_MOMENTUM
                m.bn.train(policy == TRAIN or (policy == AUTO and not is_frozen))
                for p in m.bn.parameters():
                    p.requires_grad_(not is_frozen and policy != FROZEN)
            for p in m.parameters():
                if p.requires_grad:
                    (decaying if p is m.conv.weight else plain).append(p)
        return [dict(params=decaying, weight_decay=DECAY), dict(params=plain, weight_decay=0)]

    def losses(self, net, batch):
        outputs = net(torch.from_numpy(self.images[batch]).double())
        parts = []
        for i in self.heads:
            options = head_options(net.layers[i])
            n, c, h, w = outputs[i].shape
            slots = len(options['mask'])
            z = outputs[i].reshape(n, slots, c // slots, h, w).permute(0, 3, 4, 1, 2)
            if not z[..., 4:].abs().max() < LARGEST_LOGIT:
                sys.exit('a logit of %g: take a smaller rate' % z[..., 4:].abs().max())
            loss = loss_golden.Yolo(options, self.size[:2], (w, h), False)
            parts.append(loss.loss(z, self.truths[batch]))
        return parts

    def train(self, policy, frozen, noise_size=0):
        """Parts by step and head, first gradients (None: no gradient), final tensors."""
        net = self.network()
        rng = torch.Generator().manual_seed(0)
        for m in net.modules_by_layer.values() if noise_size else ():
            m.conv.register_forward_hook(lambda _, __, y: y + noise_size * y.detach().abs().max() * torch.randn(
                y.shape, generator=rng, dtype=y.dtype))
        groups = self.freeze(net, policy, set(frozen))
        optimizer = torch.optim.SGD(groups, lr=self.plan['rate'], momentum=MOMENTUM)
        tensors = net.parameters_in_file_order()
        records, gradients = [], None
        for step in range(STEPS):
            parts = self.losses(net, step % BATCHES)
            total = sum(p['box'] + p['obj'] + p['cls'] for p in parts) / BATCH
            optimizer.zero_grad(set_to_none=True)
            total.backward()
            if gradients is None:
                gradients = [None if t.grad is None else t.grad.numpy() * BATCH for t in tensors]
            records.append([[float(p[k]) for k in ('box', 'obj', 'cls', 'iou', 'assigned')] for p in parts])
            optimizer.step()
        return np.array(records), gradients, [t.detach().numpy() for t in tensors]


def distance(a, b):
    return max(np.abs(x - y).max() / max(np.abs(y).max(), 1e-12) for x, y in zip(a, b) if y is not None)


def write_tensor(out, values):
    if values is None:
        out.write(struct.pack('<i', 0))
        return
    out.write(struct.pack('<i', 1) + np.ascontiguousarray(values, '<f4').tobytes())


def write_case(out, run, policy, frozen, with_gradients):
    records, gradients, final = run.train(policy, frozen)
    again = run.train(policy, frozen, NOISE)
    moves = [np.abs(f - i).max() for f, i in zip(final, run.initial)]
    moved = [m for m, i in zip(moves, run.initial) if m > 0]
    doubt = (np.abs(again[0] / records - 1)[..., :3].max(), distance(again[1], gradients), distance(again[2], final))
    doubt_of_move = max(np.abs(x - y).max() / m for x, y, m in zip(again[2], final, moves) if m > 0)
    print('%s policy %d, %2d frozen: loss %.2f to %.2f; %d of %d tensors moved, the least by %.1e; noise changes '
          'losses by %.1e, gradients %.1e, the end %.1e, moves %.1e' % (
              run.name, policy, len(frozen), records[0, :, :3].sum(), records[-1, :, :3].sum(), len(moved),
              len(moves), min(moved), *doubt, doubt_of_move))
    if not (max(doubt) <= DOUBT and doubt_of_move <= DOUBT_OF_MOVE):
        sys.exit('rounding decides: take another seed or a smaller rate')
    out.write(struct.pack('<%di' % (2 + len(frozen)), policy, len(frozen), *frozen))
    out.write(records.astype('<f4').tobytes())
    for g in gradients:
        write_tensor(out, g if with_gradients else None)
    for value, move in zip(final, moves):
        write_tensor(out, value if move > 0 else None)


def main():
    torch.set_num_threads(1)
    for name in sys.argv[1:] or NETWORKS:
        run = Run(name)
        w, h, c = run.size
        with open(os.path.join(FOLDER, name + '.bin'), 'wb') as out:
            out.write(b'YOLOTRAN')
            out.write(struct.pack('<11i', VERSION, BATCH, c, h, w, STEPS, BATCHES, len(run.heads),
                                  len(run.initial), len(run.plan['cases']), run.plan['seed']))
            out.write(struct.pack('<4f', run.plan['rate'], MOMENTUM, DECAY, BN_MOMENTUM))
            for truths in run.truths:
                out.write(struct.pack('<i', len(truths)))
                for t in truths:
                    out.write(struct.pack('<2i4f', *t))
            for value in run.initial:
                out.write(struct.pack('<i', value.size) + value.astype('<f4').tobytes())
            for policy, frozen, with_gradients in run.plan['cases']:
                write_case(out, run, policy, list(frozen), with_gradients)


if __name__ == '__main__':
    main()
