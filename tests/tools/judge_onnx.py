#!/usr/bin/env python3
"""What an exported detector finds in another program, as lines of JSON that `yolo eval --results` reads:

    judge_onnx.py RUNTIME MODEL.onnx LIST OUT.jsonl [--inputs yolo|opencv] -- YOLO MODEL OPTIONS

MODEL.onnx has --boxes nms. Pictures come to the input's size by OpenCV, as for a user of that program, or by `yolo dump`, which then
leaves nothing different but the network and its boxes.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import cv2
import numpy as np
import onnx

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from onnx_runtimes import RUNTIMES  # noqa: E402


def by_opencv(picture, width, height):
    return cv2.cvtColor(cv2.resize(picture, (width, height)), cv2.COLOR_BGR2RGB).astype(np.float32).transpose(2, 0, 1)[None] / 255


def by_yolo(command, path):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([command[0], 'dump', path, '--out', folder, '-q', *command[1:]], check=True)
        return np.load(f'{folder}/input.npy')


def main():
    split = sys.argv.index('--')
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runtime', choices=RUNTIMES)
    parser.add_argument('model')
    parser.add_argument('list')
    parser.add_argument('out')
    parser.add_argument('--inputs', choices=['yolo', 'opencv'], default='yolo')
    args, command = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1:]
    meta = {p.key: p.value for p in onnx.load(args.model).metadata_props}
    height, width = json.loads(meta['imgsz'])
    names = json.loads(meta['names'])
    assert meta['fit'] == 'stretch' and meta['boxes'] == 'nms'
    _, run = RUNTIMES[args.runtime](args.model, (1, 3, height, width), 2)
    with open(args.out, 'w') as out:
        for name in pathlib.Path(args.list).read_text().split():
            path = str(pathlib.Path(args.list).parent / name)
            picture = cv2.imread(path)
            h, w = picture.shape[:2]
            x = by_yolo(command, path) if args.inputs == 'yolo' else by_opencv(picture, width, height)
            objects = []
            for _, x1, y1, x2, y2, c, confidence in run(x)[0].reshape(-1, 7).astype(float):
                corners = np.clip([x1 * w / width, y1 * h / height, x2 * w / width, y2 * h / height], 0, [w, h, w, h])
                objects.append({'class_id': int(c), 'name': names[str(int(c))], 'confidence': confidence,
                                'box': dict(zip(('x1', 'y1', 'x2', 'y2'), corners.tolist(), strict=True))})
            out.write(json.dumps({'image': name, 'width': w, 'height': h, 'objects': objects}) + '\n')


if __name__ == '__main__':
    main()
