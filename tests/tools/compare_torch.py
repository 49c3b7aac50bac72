#!/usr/bin/env python3
"""Compare `yolo dump` with PyTorch, layer by layer, on whole networks with random weights:

    compare_torch.py [--yolo ./yolo] [--cfg-dir DIR] [--isas scalar,avx2,avx512] [--markdown] [CFG:SIZES:BATCHES...]

e.g. yolov4-tiny:416,320:1,3. For each case it prints the worst error of any layer, relative to that
layer's largest magnitude (PyTorch in float32; with --double in double precision), for every instruction
set with and without Winograd. Exit status 1 if one exceeds 1e-4 (direct) or 1e-3 (Winograd).
Heads: `yolo dump` may give a head's raw input or the activated values; whichever fits is taken, and the
convolution before it is compared anyway. Needs torch and numpy.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import torch

from torch_reference import Network

DEFAULT = ['yolov4:320,416:1,3', 'yolov4-tiny:320,416:1,3', 'yolov4-csp:320,416:1,3',
           'yolov4x-mish:320,416:1,3', 'yolov3-tiny:320,416:1,3']
LIMITS = {'': 1e-3, ' direct': 1e-4}


def randomise(net, seed):
    """He-like filters, statistics off their neutral values. The heads' convolutions are scaled to outputs of
    magnitude 1: deep networks grow large values, and a logistic of a large value magnifies any rounding
    error, PyTorch's as well as ours."""
    g = torch.Generator().manual_seed(seed)
    uniform = lambda t, low, high: t.copy_(torch.rand(t.shape, generator=g) * (high - low) + low)
    with torch.no_grad():
        for m in net.modules_by_layer.values():
            w = m.conv.weight
            w.copy_(torch.randn(w.shape, generator=g) * (1.3 / w[0].numel()) ** .5)
            if m.has_bn:
                uniform(m.bn.weight, .8, 1.2)
                uniform(m.bn.bias, -.2, .2)
                uniform(m.bn.running_mean, -.2, .2)
                uniform(m.bn.running_var, .5, 1.)
            else:
                uniform(m.conv.bias, -.2, .2)
                m.register_forward_pre_hook(scale_by_input)
        net(torch.rand(1, int(net.options['channels']), 128, 128, generator=g))
        for m in net.modules_by_layer.values():
            m._forward_pre_hooks.clear()


def scale_by_input(conv, inputs):
    conv.conv.weight /= inputs[0].square().mean().sqrt()


def relative_error(got, want):
    if got.shape != want.shape:
        return float('inf')
    error = np.abs(got.astype('f8') - want.astype('f8')).max() / max(np.abs(want).max(), 1e-6)
    return float('inf') if np.isnan(error) else error


def layer_error(net, i, got, want):
    errors = [relative_error(got, want.numpy())]
    if net.is_head(i):
        errors.append(relative_error(got, net.activate(i, want).numpy()))
    return min(errors)


def compare(args, net, outputs, cfg, weights, image, size, isa, suffix, folder):
    out = os.path.join(folder, 'dump')
    shutil.rmtree(out, ignore_errors=True)
    command = [args.yolo, 'dump', image, '--cfg', cfg, '--weights', weights, '--imgsz', str(size), '--cpu', isa,
               '--out', out, '-q'] + (['--no-winograd'] if suffix else [])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return None, done.stderr.strip().splitlines()[-1:] or ['failed']
    errors = [layer_error(net, i, np.load(os.path.join(out, f'{i:03}.npy')), y) for i, y in enumerate(outputs)]
    worst = int(np.argmax(errors))
    return errors[worst], f'layer {worst}'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('cases', nargs='*', default=DEFAULT)
    parser.add_argument('--yolo', default='./yolo')
    parser.add_argument('--cfg-dir', default=os.path.join(os.environ.get('YOLO_SHARED', '../shared'),
                                                          'reference/cfg'))
    parser.add_argument('--isas', default='scalar,avx2,avx512')
    parser.add_argument('--double', action='store_true')
    parser.add_argument('--markdown', action='store_true')
    args = parser.parse_args()
    columns = [(isa, suffix) for isa in args.isas.split(',') for suffix in ('', ' direct')]
    bar = '|' if args.markdown else ''
    print(f'{bar} {"network":14} {bar} size {bar} batch {bar} ' +
          f' {bar} '.join(f'{isa + suffix:>14}' for isa, suffix in columns) + f' {bar} worst at {bar}')
    if args.markdown:
        print('|---' * (len(columns) + 4) + '|')
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        weights, image = os.path.join(folder, 'w.weights'), os.path.join(folder, 'x.npy')
        for case in args.cases:
            name, sizes, batches = (case.split(':') + ['416', '1'])[:3]
            cfg = os.path.join(args.cfg_dir, name + '.cfg')
            net = Network(cfg)
            randomise(net, 1)
            net.save(weights)
            net.load(weights)
            net = net.double() if args.double else net
            for size in map(int, sizes.split(',')):
                for batch in map(int, batches.split(',')):
                    x = np.random.default_rng(size + batch).random((batch, 3, size, size), 'f4')
                    np.save(image, x)
                    with torch.inference_mode():
                        outputs = net(torch.from_numpy(x).to(next(net.parameters()).dtype))
                    cells, where = [], ''
                    largest = -1.
                    for isa, suffix in columns:
                        error, at = compare(args, net, outputs, cfg, weights, image, size, isa, suffix, folder)
                        if error is None:
                            cells.append(f'{"failed":>14}')
                            print(name, isa, suffix, *at, file=sys.stderr)
                            failed = True
                            continue
                        cells.append(f'{error:14.1e}')
                        failed |= not error <= LIMITS[suffix]
                        if error > largest:
                            largest, where = error, f'{at} ({isa}{suffix})'
                    print(f'{bar} {name:14} {bar} {size:4} {bar} {batch:5} {bar} ' + f' {bar} '.join(cells) +
                          f' {bar} {where} {bar}', flush=True)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
