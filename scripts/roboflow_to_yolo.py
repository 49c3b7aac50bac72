#!/usr/bin/env python3
"""A Roboflow (or Ultralytics) YOLO export to lists, names and a .data file.

    scripts/roboflow_to_yolo.py EXPORT --out OUT

EXPORT is the unpacked folder: data.yaml and train, valid, test with images and labels in each; or train, valid,
test with a _darknet.labels file and the labels beside the pictures ("YOLO Darknet" export). Writes OUT/images
and OUT/labels with a folder for each part (pictures as links, or copies with --copy), OUT/train.txt and so on,
OUT/roboflow.names and OUT/roboflow.data. Outlines (segmentation, oriented boxes) become the boxes around them.
Lines that are no boxes are left out and reported with their file and line. EXPORT is not changed.

For a "COCO" export: yolo convert */_annotations.coco.json; for "Pascal VOC": scripts/voc_to_yolo.py.
"""

import argparse
import math
import re
import sys
from pathlib import Path

from voc_to_yolo import PICTURES, Fault, Report, place_picture

PARTS = {"train": ("train",), "valid": ("valid", "val", "validation"), "test": ("test",)}


def plain(text):
    """A YAML scalar as text."""
    text = text.strip()
    single, double = re.match(r"'((?:[^']|'')*)'\s*(#.*)?$", text), re.match(r'"((?:[^"\\]|\\.)*)"\s*(#.*)?$', text)
    if single:
        return single.group(1).replace("''", "'")
    if double:
        return re.sub(r"\\(.)", r"\1", double.group(1))
    return re.sub(r"\s+#.*$", "", text)


def split_items(text):
    """The items of "a, 'b, c', d"."""
    return [plain(item) for item in re.findall(r"""\s*('(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[^,]+)\s*(?:,|$)""", text)]


def read_names(path):
    """names: of a data.yaml, in the three ways they are written: [a, b], a list of "- a", a map of "0: a"."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    at = next((i for i, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if at is None:
        raise Fault(f"{path}: no names:")
    rest = lines[at].split(":", 1)[1].strip()
    if rest.startswith(("[", "{")):
        closing = "]" if rest[0] == "[" else "}"
        for line in lines[at + 1:]:
            if rest.rstrip().endswith(closing):
                break
            rest += " " + line.strip()
        if not rest.rstrip().endswith(closing):
            raise Fault(f"{path}:{at + 1}: names: no {closing}")
        items = split_items(rest.rstrip()[1:-1])
        return items if closing == "]" else from_map(path, at, [item.split(":", 1) for item in items])
    names, pairs = [], []
    for number, line in enumerate(lines[at + 1:], at + 2):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        item, entry = re.match(r"-\s+(.*)$", text), re.match(r"['\"]?(\d+)['\"]?\s*:\s*(.*)$", text)
        if item:
            names.append(plain(item.group(1)))
        elif entry and line[0].isspace():
            pairs.append(entry.groups())
        elif line[0].isspace():
            raise Fault(f"{path}:{number}: neither \"- name\" nor \"0: name\"")
        else:
            break
    return from_map(path, at, pairs) if pairs else names


def from_map(path, at, pairs):
    try:
        numbered = {int(plain(key)): plain(value) for key, value in pairs}
    except ValueError:
        raise Fault(f"{path}:{at + 1}: names: a class that is no number") from None
    if sorted(numbered) != list(range(len(numbered))):
        raise Fault(f"{path}:{at + 1}: names: the classes are not 0 to {len(numbered) - 1}")
    return [numbered[i] for i in range(len(numbered))]


def find_parts(export):
    """Part -> (folder of pictures, folder of labels)."""
    parts = {}
    for part, words in PARTS.items():
        for word in words:
            for images, labels in ((export / word / "images", export / word / "labels"),
                                   (export / "images" / word, export / "labels" / word),
                                   (export / word, export / word)):
                if part not in parts and images.is_dir() and any(is_picture(path) for path in images.iterdir()):
                    parts[part] = images, labels
    if not parts:
        raise Fault(f"{export}: neither train, valid nor test with pictures in it")
    return parts


def is_picture(path):
    return path.suffix.lower() in PICTURES


def find_names(export, parts):
    for name in ("data.yaml", "data.yml", "dataset.yaml"):
        if (export / name).is_file():
            names = read_names(export / name)
            break
    else:
        path = next((images / "_darknet.labels" for images, _ in parts.values()
                     if (images / "_darknet.labels").is_file()), None)
        if not path:
            raise Fault(f"{export}: neither data.yaml nor a _darknet.labels")
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not names or not all(names):
        raise Fault(f"{export}: no class names, or an empty one")
    return names


def convert_line(words, place, classes, report):
    """A label line of a box or an outline -> class cx cy w h as text; None if it is left out."""
    try:
        values = [float(word) for word in words]
    except ValueError:
        report.add("lines that are not numbers", f"{place}: \"{' '.join(words)[:60]}\" is not all numbers")
        return None
    if not all(math.isfinite(value) for value in values):
        report.add("lines that are not numbers", f"{place}: a number that is not finite")
        return None
    if not (values[0] == int(values[0]) and 0 <= values[0] < classes):
        report.add("classes out of range", f"{place}: class {words[0]}, but there are {classes}")
        return None
    if len(values) == 5:
        if not (values[3] > 0 and values[4] > 0):
            report.add("boxes without area", f"{place}: a box of {words[3]} x {words[4]}")
            return None
        return " ".join([str(int(values[0]))] + words[1:])
    if len(values) < 7 or len(values) % 2 == 0:
        report.add("lines that are no box", f"{place}: {len(values)} numbers are neither a box nor an outline")
        return None
    xs, ys = values[1::2], values[2::2]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    if not (right > left and bottom > top):
        report.add("boxes without area", f"{place}: an outline without area")
        return None
    report.outlines += 1
    return (f"{int(values[0])} {(left + right) / 2:.6f} {(top + bottom) / 2:.6f} "
            f"{right - left:.6f} {bottom - top:.6f}")


def convert_label(source, classes, report):
    if not source.is_file():
        report.add("pictures without a label file", f"{source}: no such file; its picture is taken as background")
        return []
    lines = []
    for number, line in enumerate(source.read_text(encoding="utf-8-sig").splitlines(), 1):
        if line.strip():
            lines.append(convert_line(line.split(), f"{source}:{number}", classes, report))
    return [line for line in lines if line]


def convert_part(part, images, labels, args, names, report):
    pictures = sorted(path for path in images.iterdir() if is_picture(path))
    stems, boxes = set(), 0
    for folder in ("images", "labels"):
        (args.out / folder / part).mkdir(parents=True)
    listed = []
    for picture in pictures:
        if picture.stem in stems:
            report.add("pictures left out", f"{picture}: another one has the same name but for its ending")
            continue
        stems.add(picture.stem)
        lines = convert_label(labels / (picture.stem + ".txt"), len(names), report)
        boxes += len(lines)
        (args.out / "labels" / part / (picture.stem + ".txt")).write_text("".join(line + "\n" for line in lines))
        place_picture(picture, args.out / "images" / part / picture.name, args.copy)
        listed.append(f"images/{part}/{picture.name}\n")
    (args.out / (part + ".txt")).write_text("".join(listed))
    return len(listed), boxes


def convert(args, report):
    if not args.export.is_dir():
        raise Fault(f"{args.export}: no such folder")
    if args.out.exists() and any(args.out.iterdir()):
        raise Fault(f"{args.out}: exists and is not empty")
    parts = find_parts(args.export)
    names = find_names(args.export, parts)
    counts = {part: convert_part(part, *folders, args, names, report) for part, folders in parts.items()}
    (args.out / "roboflow.names").write_text("".join(name + "\n" for name in names))
    train = "train" if "train" in counts else next(iter(counts))
    valid = next((part for part in ("valid", "test") if part in counts and part != train), None)
    (args.out / "roboflow.data").write_text(
        f"classes = {len(names)}\ntrain = {train}.txt\n" + (f"valid = {valid}.txt\n" if valid else "")
        + "names = roboflow.names\nbackup = backup\n")
    return counts, names


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path, help="the unpacked export")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; new or empty")
    parser.add_argument("--copy", action="store_true", help="copy the pictures instead of linking them")
    args = parser.parse_args()
    report = Report("roboflow_to_yolo")
    report.outlines = 0
    try:
        counts, names = convert(args, report)
    except (Fault, OSError, UnicodeDecodeError) as why:
        print(f"roboflow_to_yolo: error: {why}", file=sys.stderr)
        return 1
    for kind, count in report.counts.items():
        print(f"{count} {kind}")
    if report.outlines:
        print(f"{report.outlines} outlines became boxes")
    parts = ", ".join(f"{part} {pictures}" for part, (pictures, _) in counts.items())
    boxes = sum(count for _, count in counts.values())
    print(f"{args.out}: {sum(count for count, _ in counts.values())} pictures ({parts}), {boxes} boxes of "
          f"{len(names)} classes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
