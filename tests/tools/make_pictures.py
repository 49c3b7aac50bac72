#!/usr/bin/env python3
"""JPEG files of kinds that `yolo synth` does not write, for the tests: greyscale and progressive.

    tests/tools/make_pictures.py     writes tests/golden/pictures/{grey,progressive}.jpg (needs cv2)
"""
from pathlib import Path

import cv2

root = Path(__file__).resolve().parents[2]
source = sorted((root / "data/tabletop/images").rglob("*.jpg"))[0]
picture = cv2.resize(cv2.imread(str(source)), (64, 64), interpolation=cv2.INTER_AREA)
out = root / "tests/golden/pictures"
out.mkdir(exist_ok=True)
cv2.imwrite(str(out / "grey.jpg"), cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
cv2.imwrite(str(out / "progressive.jpg"), picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
