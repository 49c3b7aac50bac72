#!/usr/bin/env python3
"""Weights of a sensible size for any cfg, always the same: make_weights.py YOLO CFG OUT.weights. Needs numpy."""
import json
import pathlib
import subprocess
import sys

import numpy as np


def main():
    yolo, cfg, out = sys.argv[1:]
    info = json.loads(subprocess.run([yolo, 'info', '--cfg', cfg, '--format', 'json', '-q'], check=True, capture_output=True).stdout)
    sections = pathlib.Path(cfg).read_text().split('\n[')[1:]
    sections = [s for s in sections if not s.startswith(('net]', 'network]'))]
    rng = np.random.default_rng(0)
    with open(out, 'wb') as f:
        np.array([0, 2, 5, 0, 0], '<i4').tofile(f)

        def put(values):
            np.asarray(values, '<f4').tofile(f)
        for layer, section in zip(info['layers'], sections[-len(info['layers']):], strict=True):
            count, filters, kind = layer['parameters'], layer['output_whc'][2], layer['kind']
            if count == 0:
                continue
            if kind == 'shortcut':
                put(rng.uniform(-1, 1, count))
                continue
            has_norm = kind == 'batchnorm' or 'batch_normalize=1' in section
            weights = count - filters * (4 if has_norm else 1)
            norm = [rng.uniform(.5, 1.5, filters), rng.uniform(-.3, .3, filters), rng.uniform(.5, 1.5, filters)] if has_norm else []
            values = [rng.normal(0, np.sqrt(2 * filters / weights), weights)] if weights else []
            for part in [rng.uniform(-.5, .5, filters)] + (values + norm if kind == 'connected' else norm + values):
                put(part)


if __name__ == '__main__':
    main()
