#!/usr/bin/env python3
"""Latency of an exported network in another program:

    peer_latency.py RUNTIME FILE.onnx [--imgsz N] [--threads N] [--runs N] [--warmup N]

RUNTIME is a name of onnx_runtimes.py. Prints one JSON object: infer_ms (median, min, max) and the program's version.
"""
import argparse
import json
import pathlib
import statistics
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from onnx_runtimes import RUNTIMES  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runtime', choices=RUNTIMES)
    parser.add_argument('file')
    parser.add_argument('--imgsz', type=int, default=416)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--runs', type=int, default=7)
    parser.add_argument('--warmup', type=int, default=2)
    args = parser.parse_args()
    x = np.random.default_rng(0).random((1, 3, args.imgsz, args.imgsz), np.float32)
    version, run = RUNTIMES[args.runtime](args.file, x.shape, args.threads)
    times = []
    for i in range(args.warmup + args.runs):
        start = time.perf_counter()
        run(x)
        if i >= args.warmup:
            times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({'infer_ms': {'median': statistics.median(times), 'min': min(times), 'max': max(times)}, 'version': version}))


if __name__ == '__main__':
    main()
