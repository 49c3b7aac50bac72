#!/usr/bin/env python3
"""Golden values of Darknet's classifiers: make_classifier_golden.py FOLDER [--float] [NAME...] writes tests/golden/classifiers/NAME.bin
for darknet19.cfg, darknet53.cfg and cifar.cfg in FOLDER. Made with torch 2.15.0, numpy 2.4.6.

The networks of torch_reference.py in double precision, at small inputs. The parameters are noise by a formula that both
sides know (parameters() here, fill() in tests/unit/test_classifier_golden.c), so nothing large lies in the repository;
dropout_mask.py tells what dropout drops. --float writes nothing and tells how far single precision is from double:
how well the numbers are determined.

File, little-endian, 4-byte units after the 8 bytes "YOLOCLAS": version, side of the input, batch, classes, tensors,
learnable values, statistics, cases; per case: last frozen layer (-1: none; -2: evaluation; -3: none, all batch norms by
stored statistics), loss (sum over the batch),
probabilities [batch][classes], then seven floats a tensor in .weights order: of its gradient (statistics: of the values
after a step) the largest magnitude, the root of the mean square, the product with noise over the root of the count, and
the values at 0, 1/3, 2/3 and the end; all 0 where there is no gradient.
"""
import os
import struct
import sys

import numpy as np
import torch

from dropout_mask import kept
from torch_reference import Network

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden', 'classifiers')
VERSION, SEED, BN_MOMENTUM, LEAKY_GAIN = 1, 99, 0.1, 2 / 1.01
# side, batch, last frozen layer
NETWORKS = {'cifar': (32, 3, 5), 'darknet19': (64, 4, 11), 'darknet53': (64, 4, 36)}


def noise(seed, count):
    """test_noise of tests/unit/test.h: the states are doubled by the map that makes as many steps at once."""
    states, a, c = np.empty(count, np.uint64), 1664525, 1013904223
    states[0] = (seed * a + c) & 0xffffffff
    done = 1
    while done < count:
        more = min(done, count - done)
        states[done:done + more] = (states[:more] * np.uint64(a) + np.uint64(c)) & np.uint64(0xffffffff)
        a, c, done = a * a & 0xffffffff, (a * c + c) & 0xffffffff, done + more
    return ((states >> np.uint64(8)).astype(np.float32) / np.float32(8388608) - np.float32(1)).astype(np.float32)


class Classifier(Network):
    def run(self, i, kind, x, outputs):
        if kind == 'crop':
            h, w = int(self.layers[i]['crop_height']), int(self.layers[i]['crop_width'])
            assert int(self.layers[i].get('noadjust', 0)) == 1
            top, left = (x.shape[2] - h) // 2, (x.shape[3] - w) // 2
            return x[:, :, top:top + h, left:left + w]
        if kind == 'dropout' and self.drops and i > self.last_frozen:
            p = float(self.layers[i]['probability'])
            n, c, h, w = x.shape
            mask = kept(SEED, i, p, n * h * w, c).reshape(n, h, w, c).transpose(0, 3, 1, 2)
            return x * torch.from_numpy(mask.copy()).to(x) / (1 - float(np.float32(p)))
        if kind == 'softmax':
            self.logits = x.reshape(x.shape[0], -1)
        return super().run(i, kind, x, outputs)


def parameters(net):
    """(tensor, role) in .weights order, filled."""
    found = []
    for module in net.modules_by_layer.values():
        roles = ['biases', 'scales', 'rolling_mean', 'rolling_variance', 'weights'] if module.has_bn else ['biases', 'weights']
        found += zip(module.parameters_in_file_order(), roles)
    with torch.no_grad():
        for t, (tensor, role) in enumerate(found):
            offset, factor = {'biases': (0, .3), 'scales': (.6, .2), 'rolling_mean': (0, .1),
                              'rolling_variance': (1, .3),
                              'weights': (0, np.sqrt(3 * LEAKY_GAIN / tensor[0].numel()) if role == 'weights' else 0)}[role]
            values = np.float32(offset) + np.float32(factor) * noise(1000 + t, tensor.numel())
            tensor.copy_(torch.from_numpy(values).view_as(tensor))
    return found


def digest(t, values):
    v = values.detach().double().numpy().ravel()
    n = len(v)
    return [np.abs(v).max(), np.sqrt(np.mean(v * v)), v @ noise(7000 + t, n).astype(float) / np.sqrt(n),
            v[0], v[n // 3], v[2 * n // 3], v[-1]]


def run(name, folder, last, dtype):
    side, batch, _ = NETWORKS[name]
    net = Classifier(os.path.join(folder, name + '.cfg')).to(dtype)
    net.options['width'] = net.options['height'] = side
    found = parameters(net)
    net.drops, net.last_frozen = last != -2, last
    for i, module in net.modules_by_layer.items():
        moves = last != -2 and int(i) > last
        module.train(moves and last != -3)
        module.requires_grad_(moves)
        if module.has_bn:
            module.bn.momentum = BN_MOMENTUM
    images = np.float32(.5) + noise(5, batch * 3 * side * side) / np.float32(2)
    net(torch.from_numpy(images.reshape(batch, 3, side, side)).to(dtype))
    classes = net.logits.shape[1]
    target = torch.full((batch, classes), float(np.float32(.1) / np.float32(classes)), dtype=dtype)
    for n in range(batch):
        target[n, (37 * n + 11) % classes] += float(np.float32(.9))
    loss = -(target * torch.log_softmax(net.logits, 1)).sum()
    if last != -2:
        loss.backward()
    digests = []
    for t, (tensor, role) in enumerate(found):
        values = tensor if role.startswith('rolling') else tensor.grad
        digests += [0] * 7 if values is None else digest(t, values)
    learnable = sum(t.numel() for t, role in found if not role.startswith('rolling'))
    counts = [classes, len(found), learnable, sum(t.numel() for t, _ in found) - learnable]
    return counts, loss.item(), torch.softmax(net.logits, 1).detach().double().numpy().ravel(), digests


def main():
    names = [a for a in sys.argv[2:] if a != '--float'] or NETWORKS
    for name in names:
        side, batch, frozen = NETWORKS[name]
        cases = [-2, -3, -1, frozen]
        data = b''
        for last in cases:
            counts, loss, out, digests = run(name, sys.argv[1], last, torch.float64)
            print(f'{name}, {last}: {counts}, loss {loss:.6f}, largest probability {out.max():.4f}', flush=True)
            if '--float' in sys.argv:
                _, loss32, out32, digests32 = run(name, sys.argv[1], last, torch.float32)
                a, b = (np.array(d).reshape(-1, 7) for d in (digests, digests32))
                scale = np.maximum(a[:, [0, 1, 1, 0, 0, 0, 0]], 1e-30)
                print(f'  single precision: loss {abs(loss32 / loss - 1):.2g}, out {np.abs(out32 - out).max() / out.max():.2g}, '
                      f'digests {np.abs((a - b) / scale).max(0)}', flush=True)
            data += struct.pack('<if', last, loss) + np.array([*out, *digests], '<f4').tobytes()
        if '--float' not in sys.argv:
            head = [VERSION, side, batch, *counts, len(cases)]
            with open(os.path.join(FOLDER, name + '.bin'), 'wb') as f:
                f.write(b'YOLOCLAS' + np.array(head, '<i4').tobytes() + data)


if __name__ == '__main__':
    main()
