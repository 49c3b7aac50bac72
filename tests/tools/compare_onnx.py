#!/usr/bin/env python3
"""An exported network in another program against this one:

    compare_onnx.py YOLO RUNTIME PICTURE... [--least N] [--imgsz WxH] [--batch N] [--fp16] [--int8] [--dynamic] [--opset N] -- MODEL OPTIONS

RUNTIME is a name of onnx_runtimes.py. MODEL OPTIONS name the network for yolo (--cfg ... --weights ...). Compared are, on the same input: the
values that leave the layers (--boxes raw, or the output of a network without heads), relative to the largest; and every box over .25 before
suppression (--boxes decoded) with what `yolo detect --iou 1` finds: the same class, IoU > .99, confidence within .001. Half precision is held to
what its 11 bits give; --int8, of a network that yolo quantize has been given, to what a byte's step does that falls on the other side of a tie. Ends with 1 where that does not hold or fewer than --least boxes were found; prints one line.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from onnx_runtimes import RUNTIMES  # noqa: E402

CONFIDENCE = .25


def iou(a, b):
    """Of one box with many, x1 y1 x2 y2."""
    low, high = np.maximum(a[:2], b[:, :2]), np.minimum(a[2:], b[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    return common / np.maximum(1e-9, np.prod(a[2:] - a[:2]) + np.prod(b[:, 2:] - b[:, :2], axis=1) - common)


def on_picture(output, size, fit, picture):
    """[4 + classes, m] in pixels of the network's input: boxes on the picture, classes, confidences of all over CONFIDENCE / 2."""
    width, height = picture
    scale = np.array([width / size[0], height / size[1]] * 2)
    offset = np.zeros(4)
    if fit == 'letterbox':
        ratio = min(size[0] / width, size[1] / height)
        inner = (width * size[0] // width, height * size[0] // width) if size[0] / width < size[1] / height else (
            width * size[1] // height, height * size[1] // height)
        offset = np.array([(size[0] - inner[0]) / 2, (size[1] - inner[1]) / 2] * 2)
        scale = np.array([width / inner[0], height / inner[1]] * 2)
        assert ratio > 0
    box, scores = output[:4].T.astype(float), output[4:].T
    box = np.hstack([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2])
    rows, classes = np.nonzero(scores > CONFIDENCE / 2)
    box = np.clip((box[rows] - offset) * scale, 0, [width, height] * 2)
    return box, classes, scores[rows, classes]


def match(wanted, found, tolerance, least_iou):
    """Every wanted box has its partner; returns the worst (confidence, IoU) differences."""
    boxes, classes, confidences = found
    worst = [0.0, 0.0]
    for o in wanted:
        box = np.array([o['box'][k] for k in ('x1', 'y1', 'x2', 'y2')])
        candidates = np.nonzero((classes == o['class_id']) & (abs(confidences - o['confidence']) <= tolerance))[0]
        overlap = np.zeros(1)
        if len(candidates):
            overlap = iou(box, boxes[candidates])
            if min(box[2] - box[0], box[3] - box[1]) < 1:  # a pixel: the printed digits would decide
                overlap = np.where(abs(boxes[candidates] - box).max(axis=1) < .01, 1, overlap)
        if overlap.max() < least_iou:
            sys.exit(f'compare_onnx: no partner for {o} (nearest {overlap.max():.4f})')
        best = candidates[overlap.argmax()]
        worst[0] = max(worst[0], float(abs(confidences[best] - o['confidence'])))
        worst[1] = max(worst[1], 1 - float(overlap.max()))
    return worst


def main():
    split = sys.argv.index('--')
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('yolo')
    parser.add_argument('runtime', choices=RUNTIMES)
    parser.add_argument('pictures', nargs='+')
    parser.add_argument('--least', type=int, default=0)
    parser.add_argument('--imgsz')
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--fp16', action='store_true')
    parser.add_argument('--int8', action='store_true')
    parser.add_argument('--dynamic', action='store_true')
    parser.add_argument('--opset')
    args, model = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1:]
    sized = ['--imgsz', args.imgsz] if args.imgsz else []
    # A file for any size is made at the cfg's, and used at another.
    own = [] if args.dynamic else list(sized)
    if args.opset:
        own += ['--opset', args.opset]
    own += ['--dynamic'] if args.dynamic or args.batch > 1 else []
    own += ['--fp16'] if args.fp16 else []
    model += ['--precision', 'int8'] if args.int8 else []
    least_iou, tolerance, most = (.9, .05, .05) if args.int8 else (.97, .02, .05) if args.fp16 else (.99, 1e-3, 1e-3)

    with tempfile.TemporaryDirectory() as folder:
        def yolo(*words):
            return subprocess.run([args.yolo, *words, '-q'], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout

        inputs = []
        for i, picture in enumerate(args.pictures):
            yolo('dump', picture, '--out', f'{folder}/{i}', *model, *sized)
            inputs.append(np.load(f'{folder}/{i}/input.npy'))
        x = np.concatenate(inputs)

        def runs(form):
            path = f'{folder}/{form}.onnx'
            yolo('export', path, *(['--boxes', form] if form != 'whole' else []), *own, *model)
            version, run = RUNTIMES[args.runtime](path, (args.batch, *x.shape[1:]), 2)
            parts = []
            for first in range(0, len(x), args.batch):
                batch = x[first:first + args.batch]
                missing = args.batch - len(batch)
                outputs = run(np.concatenate([batch, batch[:1].repeat(missing, 0)]) if missing else batch)
                parts.append([o[:len(batch)] for o in outputs])
            return version, [np.concatenate(o) for o in zip(*parts, strict=True)]

        yolo('export', f'{folder}/any.onnx', *model)
        meta = {p.key: p.value for p in onnx.load(f'{folder}/any.onnx').metadata_props}
        has_heads = 'heads' in meta
        version, values = runs('raw' if has_heads else 'whole')
        last = sorted(pathlib.Path(folder, '0').glob('[0-9]*.npy'))[-1]
        layers = [h['layer'] - 1 for h in json.loads(meta['heads'])] if has_heads else [int(last.stem)]
        error = 0.0
        for value, layer in zip(values, layers, strict=True):
            wanted = np.concatenate([np.load(f'{folder}/{i}/{layer:03d}.npy') for i in range(len(x))])
            error = max(error, float(abs(value.reshape(wanted.shape) - wanted).max() / abs(wanted).max()))
        if not error < most:
            sys.exit(f'compare_onnx: {args.runtime} {version}: values differ by {error:.2g} of the largest')
        count, worst = 0, [0.0, 0.0]
        if has_heads:
            _, (decoded,) = runs('decoded')
            found = json.loads(yolo('detect', *args.pictures, '--format', 'json', '--no-save', '--iou', '1', '--max-det', '0',
                                    '--conf', str(CONFIDENCE), *model, *sized))
            for output, record in zip(decoded, found, strict=True):
                size = (x.shape[3], x.shape[2])
                boxes = on_picture(output, size, meta['fit'], (record['width'], record['height']))
                there = match(record['objects'], boxes, tolerance, least_iou)
                sure = int((boxes[2] > CONFIDENCE + tolerance).sum())
                if sure > len(record['objects']):
                    sys.exit(f'compare_onnx: {sure} boxes, yolo finds {len(record["objects"])}')
                worst = [max(a, b) for a, b in zip(worst, there, strict=True)]
                count += len(record['objects'])
        if count < args.least:
            sys.exit(f'compare_onnx: {count} boxes are fewer than {args.least}')
    print(f'{args.runtime} {version}: values {error:.1e}, {count} boxes: confidence {worst[0]:.1e}, 1 - IoU {worst[1]:.1e}')


if __name__ == '__main__':
    main()
