#!/usr/bin/env python3
"""A training by Ultralytics with its defaults, and what it finds on the validation pictures after every epoch.

    train_ultralytics.py OUT --data SET --names FILE --cfg yolo11n.yaml --imgsz 320 --seed 0 --threads 1 --limit SECONDS

SET has train.txt and val.txt. OUT gets epoch-N.jsonl (records as `yolo detect --format jsonl` writes them) and curve.csv: epoch, processor
seconds of all its processes, the fitness by which it chooses its best epoch. It ends when SECONDS of the processor are used.
"""
import argparse
import csv
import json
import os
import pathlib
import sys

parser = argparse.ArgumentParser()
parser.add_argument("out", type=pathlib.Path)
parser.add_argument("--data", type=pathlib.Path, required=True)
parser.add_argument("--names", type=pathlib.Path, required=True)
parser.add_argument("--cfg", required=True)
parser.add_argument("--imgsz", type=int, required=True)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--limit", type=float, required=True)
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)

os.environ["OMP_NUM_THREADS"] = str(args.threads)
os.environ["YOLO_CONFIG_DIR"] = str(args.out.resolve())  # its settings stay in OUT
os.environ["YOLO_OFFLINE"] = "1"

import torch  # noqa: E402
import ultralytics  # noqa: E402

torch.set_num_threads(args.threads)


def cpu_seconds():
    """Of this process and its children: the loaders live as long as the training."""
    parents, seconds = {}, {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        seconds[pid] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    total, family = 0.0, {os.getpid()}
    while True:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        if not more:
            break
        family |= more
    for pid in family:
        total += seconds.get(pid, 0.0)
    return total


def absolute(name):
    """A list of pictures with whole paths, which is what every version of it understands."""
    lines = (args.data / name).read_text().split("\n")
    paths = [str((args.data.resolve() / line)) for line in lines if line]
    to = args.out.resolve() / name
    to.write_text("\n".join(paths) + "\n")
    return to, paths


train, _ = absolute("train.txt")
val, pictures = absolute("val.txt")
names = args.names.read_text().split("\n")
names = [name for name in names if name]
yaml = args.out / "data.yaml"
yaml.write_text(json.dumps({"train": str(train), "val": str(val), "names": dict(enumerate(names))}))  # JSON is YAML
by_stem = {pathlib.Path(path).stem: path for path in pictures}


def image_of(found):
    return by_stem[pathlib.Path(str(found.get("file_name", found["image_id"]))).stem]


def keep(trainer):
    """After every epoch's validation. The last call, for the best epoch again, comes after the training."""
    validator, epoch, seconds = trainer.validator, trainer.epoch + 1, cpu_seconds()
    if epoch in kept:
        return
    kept.add(epoch)
    objects = {path: [] for path in pictures}
    for found in validator.jdict:
        x, y, w, h = found["bbox"]
        objects[image_of(found)].append({
            "class_id": validator.class_map.index(found["category_id"]),
            "confidence": found["score"],
            "box": {"x1": x, "y1": y, "x2": x + w, "y2": y + h},
        })
    with open(args.out / f"epoch-{epoch}.jsonl", "w") as f:
        for path in pictures:
            f.write(json.dumps({"image": path, "objects": objects[path]}) + "\n")
    curve.writerow([epoch, f"{seconds:.1f}", f"{float(trainer.fitness):.6f}"])
    file.flush()
    if seconds > args.limit:
        os._exit(0)  # its last acts (plots, another validation) do not count


kept = set()
(args.out / "version").write_text(f"{ultralytics.__version__} torch {torch.__version__}\n")
file = open(args.out / "curve.csv", "w", newline="")
curve = csv.writer(file)
curve.writerow(["epoch", "cpu_s", "fitness"])
model = ultralytics.YOLO(args.cfg)
model.add_callback("on_fit_epoch_end", keep)
model.train(data=str(yaml), imgsz=args.imgsz, device="cpu", seed=args.seed, project=str(args.out.resolve()), name="run",
            exist_ok=True, save_json=True, plots=False, pretrained=False)
