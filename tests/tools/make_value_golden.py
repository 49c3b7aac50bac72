#!/usr/bin/env python3
"""Golden values of losses on values: tests/tools/make_value_golden.py writes tests/golden/values/dense.bin, auto.bin.

PyTorch in double precision trains the networks of tests/golden/values/*.cfg for ten steps of SGD. What dropout drops is
drawn by dropout_mask.py. File: floats, little-endian: images (NCHW) and values of one batch, parameters
in .weights order before training, the loss of each step (sum over the batch), the first step's gradient of every
parameter (of the sum; 0 for statistics), the parameters after training.
"""
import os

import numpy as np
import torch
from torch import nn

from dropout_mask import kept

FOLDER = os.path.join(os.path.dirname(__file__), '..', 'golden', 'values')
BATCH, STEPS, MOMENTUM, DECAY, BN_MOMENTUM = 4, 10, 0.9, 5e-3, 0.05


class Dropout(nn.Module):
    """Of one pixel an image."""

    def __init__(self, layer, probability):
        super().__init__()
        self.layer, self.keep, self.seed = layer, 1 - float(np.float32(probability)), 0

    def forward(self, x):
        mask = kept(self.seed, self.layer, 1 - self.keep, *x.shape)
        return x * torch.from_numpy(mask).to(x) / self.keep


def dense():
    return nn.Sequential(nn.Flatten(), nn.Linear(32, 12), nn.BatchNorm1d(12), nn.ReLU(), Dropout(1, 0.4),
                         nn.Linear(12, 5))


def auto():
    return nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), nn.LeakyReLU(0.1), nn.MaxPool2d(2),
                         nn.BatchNorm2d(6), nn.ConvTranspose2d(6, 5, 4, 2, 1), nn.BatchNorm2d(5), nn.LeakyReLU(0.1),
                         nn.Conv2d(5, 2, 3, padding=1))


def in_file_order(net):
    """(tensor, decays, learns); a convolution in front of a batch norm lends it its place, its bias is left out."""
    modules, order = list(net), []
    for i, m in enumerate(modules):
        after = modules[i + 1] if i + 1 < len(modules) else None
        bn = after if isinstance(after, (nn.BatchNorm1d, nn.BatchNorm2d)) else None
        if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            norm = [(bn.weight, False, True), (bn.running_mean, False, False), (bn.running_var, False, False)] if bn else []
            weight = [(m.weight, True, True)]
            order.append((bn.bias if bn else m.bias, False, True))
            order += weight + norm if isinstance(m, nn.Linear) else norm + weight
            if bn:
                nn.init.zeros_(m.bias)
                m.bias.requires_grad_(False)
        elif isinstance(m, nn.BatchNorm2d) and isinstance(modules[i - 1], nn.MaxPool2d):
            order += [(m.bias, False, True), (m.weight, False, True), (m.running_mean, False, False),
                      (m.running_var, False, False)]
    return order


def flat(tensors):
    return np.concatenate([t.detach().numpy().ravel() for t in tensors])


def make(name, net, shape, rate):
    rng = np.random.RandomState(3)
    net = net.double().train()
    tensors = in_file_order(net)
    with torch.no_grad():
        for t, decays, learns in tensors:
            low, high = (-0.6, 0.6) if decays else (0.7, 1.3)
            t.copy_(torch.from_numpy(rng.uniform(low, high, t.shape).astype(np.float32)))
        for m in net:
            if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
                m.momentum = BN_MOMENTUM
    images = rng.uniform(0, 1, (BATCH,) + shape).astype(np.float32)
    values = rng.dirichlet(np.ones(5), BATCH).astype(np.float32)
    x, t = torch.from_numpy(images).double(), torch.from_numpy(values).double()
    before = flat([p for p, _, _ in tensors])
    optimizer = torch.optim.SGD([dict(params=[p for p, d, l in tensors if l and d], weight_decay=DECAY),
                                 dict(params=[p for p, d, l in tensors if l and not d])], lr=rate, momentum=MOMENTUM)
    losses, gradient = [], None
    for step in range(STEPS):
        for m in net:
            if isinstance(m, Dropout):
                m.seed = 99 + step
        out = net(x)
        loss = (-(t * torch.log_softmax(out, 1)).sum() if name == 'dense' else
                nn.functional.binary_cross_entropy_with_logits(out, x, reduction='sum'))
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
        if gradient is None:
            gradient = flat([p.grad if learns else torch.zeros_like(p) for p, _, learns in tensors])
        for p, _, learns in tensors:
            if learns:
                p.grad /= BATCH
        optimizer.step()
    after = flat([p for p, _, _ in tensors])
    values = values if name == 'dense' else np.empty(0)
    everything = np.concatenate([images.ravel(), values.ravel(), before, losses, gradient, after])
    everything.astype('<f4').tofile(os.path.join(FOLDER, name + '.bin'))
    print(name, len(before), 'parameters, losses', losses[0], 'to', losses[-1])


torch.manual_seed(1)
make('dense', dense(), (2, 4, 4), 0.05)
make('auto', auto(), (2, 8, 8), 0.001)
