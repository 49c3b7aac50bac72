#!/usr/bin/env python3
"""Pascal VOC annotations (one XML a picture) to YOLO labels and lists.

    scripts/voc_to_yolo.py --images DATA/images --annotations DATA/annotations \\
        --lists DATA/train.txt DATA/val.txt --out OUT

writes OUT/images (links to the pictures, or copies with --copy), OUT/labels (class cx cy w h, fractions),
OUT/train.txt, OUT/val.txt, OUT/voc.names and OUT/voc.data. A list has a picture's path or bare name a line;
without --lists every picture goes to OUT/train.txt. OUT/voc.data has a valid line only if --lists names a val, valid
or test beside the list of the training. Boxes without area, boxes outside the picture and unreadable annotations are
left out and reported with their file and line. An XML without <size> takes that of its picture.

Pixels count from 1 and both ends are included, as VOC itself, supervision and `yolo detect --format voc` have it: xmin 1
is the picture's left edge. --pixels-from 0 takes the numbers for edges that count from 0, as Datumaro and FiftyOne
write them (and `yolo detect --format voc --pixels-from 0`).
"""

import argparse
import os
import shutil
import struct
import sys
import xml.sax
from pathlib import Path

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".gif", ".tga"}


class Fault(Exception):
    """One line for the user."""


class Reader(xml.sax.ContentHandler):
    """What matters of an annotation, with line numbers."""

    def __init__(self):
        super().__init__()
        self.size, self.objects = {}, []
        self.path, self.text, self.object = [], "", None

    def setDocumentLocator(self, locator):
        self.locator = locator

    def startElement(self, name, attrs):
        self.path.append(name)
        self.text = ""
        if self.path[1:] == ["object"]:
            self.object = {"line": self.locator.getLineNumber()}

    def characters(self, content):
        self.text += content

    def endElement(self, name):
        place = self.path[1:]
        if place[:1] == ["size"] and len(place) == 2:
            self.size[name] = self.text.strip()
        elif self.object is not None and place in (["object", "name"], ["object", "difficult"]):
            self.object[name] = self.text.strip()
        elif self.object is not None and place[:2] == ["object", "bndbox"] and len(place) == 3:
            self.object[name] = self.text.strip()
        elif place == ["object"]:
            self.objects.append(self.object)
            self.object = None
        self.path.pop()
        self.text = ""


def read_annotation(path, picture, report):
    reader = Reader()
    try:
        with open(path, "rb") as stream:
            xml.sax.parse(stream, reader)
    except xml.sax.SAXParseException as why:
        raise Fault(f"{path}:{why.getLineNumber()}: {why.getMessage()}") from None
    try:
        reader.size = {key: float(reader.size[key]) for key in ("width", "height")}
    except (KeyError, ValueError):
        reader.size = None
    if reader.size and not (0 < reader.size["width"] < 1e6 and 0 < reader.size["height"] < 1e6):
        reader.size = None
    if not reader.size:
        try:
            width, height = picture_size(picture)
        except (OSError, ValueError, IndexError, struct.error):
            raise Fault(f"{path}: no size of the picture (annotation/size/width and height), nor is it found in "
                        f"{picture}") from None
        reader.size = {"width": width, "height": height}
        report.add("sizes taken from the picture", f"{path}: no size: that of {picture} is taken, {width} x {height}")
    return reader


# ---- sizes of pictures ----


def orientation(exif):
    """Of a JPEG's EXIF block; 1 if there is none."""
    order = {b"II": "<", b"MM": ">"}.get(exif[6:8])
    if exif[:6] != b"Exif\0\0" or not order:
        return 1
    tiff = exif[6:]
    at, = struct.unpack_from(order + "I", tiff, 4)
    count, = struct.unpack_from(order + "H", tiff, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
        if tag == 0x112 and kind == 3:
            return value
    return 1


def jpeg_size(data):
    """Of the picture the right way up, as yolo reads it."""
    at, turned = 2, 1
    while data[at] == 0xff:
        marker = data[at + 1]
        if marker == 0xff or marker == 1 or 0xd0 <= marker <= 0xd8:
            at += 1 if marker == 0xff else 2
            continue
        length, = struct.unpack_from(">H", data, at + 2)
        if marker == 0xe1:
            try:
                turned = orientation(data[at + 4:at + 2 + length])
            except struct.error:
                pass
        elif 0xc0 <= marker <= 0xcf and marker not in (0xc4, 0xc8, 0xcc):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return (height, width) if turned >= 5 else (width, height)
        at += 2 + length
    raise ValueError


def picture_size(path):
    data = path.read_bytes()
    if data[:2] == b"\xff\xd8":
        size = jpeg_size(data)
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        size = struct.unpack_from(">II", data, 16)
    elif data[:4] == b"GIF8":
        size = struct.unpack_from("<HH", data, 6)
    elif data[:2] == b"BM":
        width, height = struct.unpack_from("<ii", data, 18)
        size = (width, abs(height))
    elif data[:2] in (b"P5", b"P6"):
        words = b" ".join(line.split(b"#")[0] for line in data[:1000].splitlines()).split()
        size = (int(words[1]), int(words[2]))
    elif path.suffix.lower() == ".tga":
        size = struct.unpack_from("<HH", data, 12)
    else:
        raise ValueError
    if min(size) < 1:
        raise ValueError
    return size


class Report:
    """Counts and prints what was left out."""

    def __init__(self, program):
        self.program, self.counts, self.before_first = program, {}, 0

    def add(self, kind, text):
        self.counts[kind] = self.counts.get(kind, 0) + 1
        print(f"{self.program}: {text}", file=sys.stderr)


def convert_object(found, size, first, path, report):
    """(name, cx, cy, w, h) as fractions; None if it is left out. first: 1 or 0, of --pixels-from."""
    place = f"{path}:{found['line']}"
    try:
        edges = [float(found[key]) for key in ("xmin", "ymin", "xmax", "ymax")]
        name = found["name"]
    except (KeyError, ValueError) as why:
        report.add("broken objects", f"{place}: an object without name or whole box ({why})")
        return None
    width, height = size["width"], size["height"]
    x1, y1, x2, y2 = edges
    box = f"{x1:g} {y1:g} {x2:g} {y2:g}"
    if first == 1 and min(x1, y1) < 1:
        report.before_first += 1
    x1, y1 = x1 - first, y1 - first
    if not (x2 > x1 and y2 > y1):
        report.add("boxes without area", f"{place}: {name}: a box without area ({box})")
        return None
    left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
    if not (right > left and bottom > top):
        report.add("boxes outside", f"{place}: {name}: the box {box} is outside the picture")
        return None
    if (left, top, right, bottom) != (x1, y1, x2, y2):
        report.add("boxes cut at the border (kept)", f"{place}: {name}: the box {box} is cut at the border")
    return (name, (left + right) / 2 / width, (top + bottom) / 2 / height,
            (right - left) / width, (bottom - top) / height)


def find_pictures(folder):
    """Pictures of the folder by stem."""
    pictures = {}
    for path in sorted(Path(folder).iterdir()):
        if path.suffix.lower() in PICTURES:
            if path.stem in pictures:
                raise Fault(f"{path}: {pictures[path.stem].name} has the same name but for its ending")
            pictures[path.stem] = path
    if not pictures:
        raise Fault(f"{folder}: no pictures")
    return pictures


def read_list(path, pictures, report):
    """Stems of the pictures that a list names."""
    stems = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        name = line.strip()
        if not name:
            continue
        base = os.path.basename(name)
        stem = os.path.splitext(base)[0] if os.path.splitext(base)[1].lower() in PICTURES else base
        if stem in pictures:
            stems.append(stem)
        else:
            report.add("missing pictures", f"{path}:{number}: {name} is not among the pictures")
    if not stems:
        raise Fault(f"{path}: none of its pictures exists")
    return stems


def place_picture(source, target, copy):
    if target.exists() or target.is_symlink():
        target.unlink()
    if copy:
        shutil.copyfile(source, target)
    else:
        target.symlink_to(source.resolve())


def convert(args, report):
    pictures = find_pictures(args.images)
    if args.lists:
        names = [path.stem for path in args.lists]
        if len(set(names)) != len(names):
            raise Fault("two lists have the same name")
        splits = {path.stem: read_list(path, pictures, report) for path in args.lists}
    else:
        splits = {"train": sorted(pictures)}
    annotations = {}
    for stem in sorted({stem for stems in splits.values() for stem in stems}):
        path = args.annotations / (stem + ".xml")
        if not path.exists():
            report.add("pictures without annotation", f"{path}: no such file; its picture is taken as background")
            annotations[stem] = []
            continue
        try:
            reader = read_annotation(path, pictures[stem], report)
        except Fault as why:
            report.add("unreadable annotations (picture left out)", str(why))
            continue
        objects = (convert_object(found, reader.size, args.first, path, report) for found in reader.objects
                   if args.difficult or found.get("difficult") != "1")
        annotations[stem] = [entry for entry in objects if entry]
    used = {entry[0] for entries in annotations.values() for entry in entries}
    classes = args.classes or sorted(used)
    if not classes:
        raise Fault(f"{args.annotations}: no objects")
    if used - set(classes):
        raise Fault(f"classes that --classes does not list: {', '.join(sorted(used - set(classes)))}")
    write(args, splits, annotations, pictures, classes)
    return splits, annotations, classes


def write(args, splits, annotations, pictures, classes):
    for folder in ("images", "labels"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    for stem, entries in annotations.items():
        lines = [f"{classes.index(name)} {cx:.6f} {cy:.6f} {w:.6f} {h:.6f}\n" for name, cx, cy, w, h in entries]
        (args.out / "labels" / (stem + ".txt")).write_text("".join(lines))
        place_picture(pictures[stem], args.out / "images" / pictures[stem].name, args.copy)
    for name, stems in splits.items():
        lines = [f"images/{pictures[stem].name}\n" for stem in stems if stem in annotations]
        (args.out / (name + ".txt")).write_text("".join(lines))
    (args.out / "voc.names").write_text("".join(name + "\n" for name in classes))
    train = "train" if "train" in splits else next(iter(splits))
    valid = next((name for name in ("val", "valid", "test") if name in splits and name != train), None)
    (args.out / "voc.data").write_text(
        f"classes = {len(classes)}\ntrain = {train}.txt\n" + (f"valid = {valid}.txt\n" if valid else "")
        + "names = voc.names\nbackup = backup\n")
    if not valid:
        print(f"voc_to_yolo: {args.out / 'voc.data'} has no valid line: --lists names no val, valid or test beside {train}",
              file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--annotations", type=Path, required=True, help="folder of the XML files")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; made if it does not exist")
    parser.add_argument("--lists", type=Path, nargs="+", default=[], help="image lists; each becomes OUT/<name>.txt")
    parser.add_argument("--classes", type=lambda text: text.split(","), default=None,
                        help="names in class order, separated by commas (default: sorted by name)")
    parser.add_argument("--pixels-from", type=int, choices=(1, 0), default=1, dest="first",
                        help="1: pixels, both ends included, as VOC itself; 0: edges, as Datumaro and FiftyOne (default: 1)")
    parser.add_argument("--difficult", action="store_true", help="keep objects marked difficult")
    parser.add_argument("--copy", action="store_true", help="copy the pictures instead of linking them")
    args = parser.parse_args()
    report = Report("voc_to_yolo")
    try:
        for path in (args.images, args.annotations):
            if not path.is_dir():
                raise Fault(f"{path}: no such folder")
        splits, annotations, classes = convert(args, report)
    except (Fault, OSError, UnicodeDecodeError) as why:
        print(f"voc_to_yolo: error: {why}", file=sys.stderr)
        return 1
    for kind, count in report.counts.items():
        print(f"{count} {kind}")
    if report.before_first:
        print(f"voc_to_yolo: {report.before_first} boxes begin before pixel 1: do these files count from 0? "
              "(--pixels-from 0)", file=sys.stderr)
    boxes = sum(len(entries) for entries in annotations.values())
    parts = ", ".join(f"{name} {sum(stem in annotations for stem in stems)}" for name, stems in splits.items())
    print(f"{args.out}: {len(annotations)} pictures ({parts}), {boxes} boxes of {len(classes)} classes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
