#!/usr/bin/env python3
"""Latency of a Darknet network in OpenCV's dnn module, on its own CPU backend:

    opencv_dnn.py CFG WEIGHTS [--imgsz N] [--threads N] [--runs N] [--warmup N]

Prints one JSON object with infer_ms (median, min, max). Measured is forward to all heads, on random input.
"""
import argparse
import json
import statistics
import time

import cv2
import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('cfg')
    parser.add_argument('weights')
    parser.add_argument('--imgsz', type=int, default=416)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--runs', type=int, default=7)
    parser.add_argument('--warmup', type=int, default=2)
    args = parser.parse_args()
    cv2.setNumThreads(args.threads)
    net = cv2.dnn.readNetFromDarknet(args.cfg, args.weights)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    heads = net.getUnconnectedOutLayersNames()
    x = np.random.default_rng(1).random((1, 3, args.imgsz, args.imgsz), 'f4')
    times = []
    for i in range(args.warmup + args.runs):
        net.setInput(x)
        start = time.perf_counter()
        net.forward(heads)
        if i >= args.warmup:
            times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({'infer_ms': {'median': statistics.median(times), 'min': min(times), 'max': max(times)},
                      'version': cv2.__version__}))


if __name__ == '__main__':
    main()
