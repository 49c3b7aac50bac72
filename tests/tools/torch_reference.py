#!/usr/bin/env python3
"""A Darknet network in PyTorch, written from the format's description alone: the independent reference
for golden files, comparisons and speed.

    torch_reference.py CFG [WEIGHTS] --imgsz 416 [--batch 1] [--runs 9] [--threads 2]

times fused inference (random weights if none are given) and prints one JSON object. As a module: Network(cfg), load(weights), forward(x)
-> outputs of every layer; detections(outputs, image, threshold). Needs torch and numpy.
"""
import argparse
import json
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

BN_EPS = 1e-5


def read_cfg(path):
    """[(section, {key: value})]; blanks vanish, the first of equal keys counts, # cuts lists."""
    sections = []
    with open(path, encoding='utf-8', errors='replace') as f:
        for raw in f:
            line = ''.join(raw.split())
            if not line or line[0] in '#;':
                continue
            if line[0] == '[':
                sections.append((line[1:line.index(']')], {}))
            elif '=' in line:
                key, value = line.split('=', 1)
                sections[-1][1].setdefault(key, value.split('#')[0])
    return sections


def ints(options, key):
    return [int(v) for v in options[key].split(',') if v]


def floats(options, key):
    return [float(v) for v in options[key].split(',') if v]


def hard_mish(x):
    return torch.where(x > 0, x, torch.where(x > -2, x * x / 2 + x, torch.zeros_like(x)))


ACTIVATIONS = {
    'linear': lambda x: x,
    'leaky': lambda x: F.leaky_relu(x, 0.1),
    'relu': F.relu,
    'relu6': F.relu6,
    'logistic': torch.sigmoid,
    'mish': F.mish,
    'swish': F.silu,
    'hard_mish': hard_mish,
    'tanh': torch.tanh,
    'elu': F.elu,
}


def reorg(x, stride):
    """The historical [reorg] of YOLOv2: space-to-depth arithmetic run on the input's sizes."""
    n, c, h, w = x.shape
    inner = c // (stride * stride)
    k = np.arange(c)[:, None, None]
    j = np.arange(h)[None, :, None]
    i = np.arange(w)[None, None, :]
    block = k // inner
    source = (i * stride + block % stride) + w * stride * (
        (j * stride + block // stride) + h * stride * (k % inner))
    flat = x.reshape(n, -1)[:, torch.from_numpy(source.reshape(-1))]
    return flat.reshape(n, c * stride * stride, h // stride, w // stride)


class Conv(nn.Module):
    def __init__(self, options, channels):
        super().__init__()
        get = lambda key, fallback: int(float(options.get(key, fallback)))
        size = get('size', 1)
        stride = get('stride', 1)
        dilation = get('dilation', 1) if size > 1 else 1
        padding = size // 2 if get('pad', 0) else get('padding', 0)
        self.has_bn = get('batch_normalize', 0) != 0
        self.conv = nn.Conv2d(channels, get('filters', 1), size,
                              (get('stride_y', stride), get('stride_x', stride)),
                              padding * dilation, dilation, get('groups', 1), bias=not self.has_bn)
        self.bn = nn.BatchNorm2d(self.conv.out_channels, eps=BN_EPS) if self.has_bn else None
        self.activation = ACTIVATIONS[options.get('activation', 'logistic')]

    def parameters_in_file_order(self):
        if self.has_bn:
            return [self.bn.bias, self.bn.weight, self.bn.running_mean, self.bn.running_var,
                    self.conv.weight]
        return [self.conv.bias, self.conv.weight]

    def fuse(self):
        if self.has_bn:
            self.conv = nn.utils.fusion.fuse_conv_bn_eval(self.conv.eval(), self.bn.eval())
            self.bn, self.has_bn = None, False

    def forward(self, x):
        x = self.conv(x)
        return self.activation(self.bn(x) if self.has_bn else x)


class Network(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        sections = read_cfg(cfg)
        self.options = sections[0][1]
        self.kinds = [name for name, _ in sections[1:]]
        self.layers = [options for _, options in sections[1:]]
        self.modules_by_layer = nn.ModuleDict()
        channels = []
        previous = int(self.options['channels'])
        for i, (kind, options) in enumerate(zip(self.kinds, self.layers)):
            if kind == 'convolutional':
                self.modules_by_layer[str(i)] = Conv(options, previous)
                previous = int(options.get('filters', 1))
            elif kind == 'route':
                total = sum(channels[j] for j in self.references(i, 'layers'))
                previous = total // int(options.get('groups', 1))
            elif kind in ('scale_channels', 'sam'):
                previous = channels[self.references(i, 'from')[0]]
            elif kind == 'reorg':
                previous *= int(options.get('stride', 1)) ** 2
            channels.append(previous)
        self.eval()

    def references(self, layer, key):
        return [v if v >= 0 else layer + v for v in ints(self.layers[layer], key)]

    def parameters_in_file_order(self):
        return [t for m in self.modules_by_layer.values() for t in m.parameters_in_file_order()]

    def load(self, path):
        with open(path, 'rb') as f:
            data = f.read()
        major, minor = np.frombuffer(data, '<i4', 2)
        values = np.frombuffer(data, '<f4', offset=20 if major * 10 + minor >= 2 else 16)
        at = 0
        with torch.no_grad():
            for t in self.parameters_in_file_order():
                t.copy_(torch.from_numpy(values[at:at + t.numel()].copy()).view_as(t))
                at += t.numel()
        assert at == len(values), f'{path}: {len(values)} floats, the cfg wants {at}'
        return self

    def save(self, path):
        with open(path, 'wb') as f:
            np.array([0, 2, 5], '<i4').tofile(f)
            np.array([0], '<u8').tofile(f)
            for t in self.parameters_in_file_order():
                t.detach().numpy().astype('<f4').tofile(f)

    def fuse(self):
        for m in self.modules_by_layer.values():
            m.fuse()
        return self

    def forward(self, x):
        """Outputs of all layers. A [yolo] or [region] layer hands its input through: see activate()."""
        outputs = []
        for i, kind in enumerate(self.kinds):
            x = self.run(i, kind, x, outputs)
            outputs.append(x)
        return outputs

    def run(self, i, kind, x, outputs):
        o = self.layers[i]
        if kind == 'convolutional':
            return self.modules_by_layer[str(i)](x)
        if kind == 'route':
            groups, group = int(o.get('groups', 1)), int(o.get('group_id', 0))
            parts = [outputs[j].chunk(groups, 1)[group] for j in self.references(i, 'layers')]
            return torch.cat(parts, 1) if len(parts) > 1 else parts[0]
        if kind == 'shortcut':
            for j in self.references(i, 'from'):
                other = outputs[j]
                shared = min(x.shape[1], other.shape[1])
                if shared == x.shape[1]:
                    x = x + other[:, :shared]
                else:
                    x = torch.cat((x[:, :shared] + other, x[:, shared:]), 1)
            return ACTIVATIONS[o.get('activation', 'linear')](x)
        if kind == 'maxpool':
            stride = int(o.get('stride', 1))
            size = int(o.get('size', stride))
            total = int(o.get('padding', size - 1))
            strides = int(o.get('stride_y', stride)), int(o.get('stride_x', stride))
            before, after = total // 2, total - total // 2
            x = F.pad(x, (before, after, before, after), value=-math.inf)
            return F.max_pool2d(x, size, strides)
        if kind == 'avgpool':
            return x.mean((2, 3), keepdim=True)
        if kind == 'upsample':
            up = F.interpolate(x, scale_factor=int(o.get('stride', 2)), mode='nearest')
            return up * float(o.get('scale', 1)) if float(o.get('scale', 1)) != 1 else up
        if kind in ('scale_channels', 'sam'):
            product = x * outputs[self.references(i, 'from')[0]]
            return ACTIVATIONS[o.get('activation', 'linear')](product)
        if kind == 'reorg':
            return reorg(x, int(o.get('stride', 1)))
        if kind == 'softmax':
            assert int(o.get('groups', 1)) == 1
            flat = x.reshape(x.shape[0], -1) / float(o.get('temperature', 1))
            return torch.softmax(flat, 1).reshape(x.shape)
        if kind in ('dropout', 'yolo', 'region', 'cost'):
            return x
        raise ValueError(f'layer {i}: [{kind}] is not in this reference')

    def is_head(self, i):
        return self.kinds[i] in ('yolo', 'region')

    def head_values(self, i, x):
        """Raw head input [n, anchors * (5 + classes), h, w] to activated [n, anchors, 5 + classes, h, w]."""
        o = self.layers[i]
        n, c, h, w = x.shape
        entries = 5 + int(o.get('classes', 20))
        v = x.reshape(n, c // entries, entries, h, w).clone()
        if self.kinds[i] == 'region':
            v[:, :, 0:2] = torch.sigmoid(v[:, :, 0:2])
            v[:, :, 4] = torch.sigmoid(v[:, :, 4])
            if int(o.get('softmax', 0)):
                v[:, :, 5:] = torch.softmax(v[:, :, 5:], 2)
            return v
        if not int(o.get('new_coords', 0)):
            v[:, :, 0:2] = torch.sigmoid(v[:, :, 0:2])
            v[:, :, 4:] = torch.sigmoid(v[:, :, 4:])
        scale = float(o.get('scale_x_y', 1))
        v[:, :, 0:2] = v[:, :, 0:2] * scale - (scale - 1) / 2
        return v

    def activate(self, i, x):
        """The head's output as Darknet stores it, in the shape of its input."""
        return self.head_values(i, x).reshape(x.shape)

    def detections(self, outputs, image, net_wh, threshold):
        """[(x, y, w, h, class, confidence)] in order of layer, cell, anchor, class."""
        found = []
        for i in range(len(self.kinds)):
            if not self.is_head(i):
                continue
            o, v = self.layers[i], self.head_values(i, outputs[i])[image].numpy()
            is_region = self.kinds[i] == 'region'
            num = int(o.get('num', 1))
            anchors = floats(o, 'anchors')
            mask = ints(o, 'mask') if 'mask' in o else range(num)
            per_px = (v.shape[3], v.shape[2]) if is_region else net_wh
            for y in range(v.shape[2]):
                for x in range(v.shape[3]):
                    for a, m in enumerate(mask):
                        e = v[a, :, y, x]
                        if not e[4] > threshold:
                            continue
                        if int(o.get('new_coords', 0)):
                            size = 4 * e[2] ** 2, 4 * e[3] ** 2
                        else:
                            size = math.exp(e[2]), math.exp(e[3])
                        box = ((x + e[0]) / v.shape[3], (y + e[1]) / v.shape[2],
                               size[0] * anchors[2 * m] / per_px[0],
                               size[1] * anchors[2 * m + 1] / per_px[1])
                        for k, p in enumerate(e[5:]):
                            if e[4] * p > threshold:
                                found.append((*box, k, e[4] * p))
        return found


def main():
    parser = argparse.ArgumentParser(description='time fused PyTorch inference of a Darknet network')
    parser.add_argument('cfg')
    parser.add_argument('weights', nargs='?')
    parser.add_argument('--imgsz', type=int, default=416)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--runs', type=int, default=9)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--channels-last', action='store_true')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    net = Network(args.cfg)
    if args.weights:
        net.load(args.weights)
    else:
        for m in net.modules_by_layer.values():
            nn.init.kaiming_normal_(m.conv.weight)
    net.fuse()
    x = torch.rand(args.batch, int(net.options['channels']), args.imgsz, args.imgsz)
    if args.channels_last:
        net = net.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode():
        for _ in range(args.runs + 2):
            start = time.perf_counter()
            net(x)
            times.append((time.perf_counter() - start) * 1e3)
    times = sorted(times[2:])
    print(json.dumps({'torch': torch.__version__, 'threads': args.threads, 'batch': args.batch, 'infer_ms': {
        'median': times[len(times) // 2], 'min': times[0], 'max': times[-1]}}))


if __name__ == '__main__':
    main()
