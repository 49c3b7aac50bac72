#!/usr/bin/env python3
"""What the trainings of scripts/experiments.sh came to, as Markdown tables and as charts.

    scripts/experiments_report.py DIR [--yolo ./yolo] [--runs] [--charts OUT]

DIR holds the runs (SET-WAY-SEED). The best weights of each are judged by `yolo eval` twice: on the validation pictures, by which they
were chosen, and on the pictures that were never looked at, where the set has such (SET/test.txt, SET/unseen/val.txt). One
table a set: means over the seeds, and from the lowest to the highest. --runs: a table of every run. --charts needs matplotlib
(Debian: python3-matplotlib). Runs that have not ended are left out.
"""
import argparse
import csv
import json
import pathlib
import re
import statistics
import subprocess
import sys

WAYS = {
    "nothing": "from random numbers",
    "high": "all layers at once, rate .001",
    "low": "all layers at once, rate .0002",
    "heads": "heads only",
    "kept": "heads only, from kept features",
    "staged": "staged",
    "drifting": "staged, statistics drift",
    "brisk": "staged, second stage at .001",
}


class Run:
    def __init__(self, folder):
        self.folder = folder
        self.set, self.way, self.seed = folder.name.rsplit("-", 2)
        with open(folder / "results.csv", newline="") as f:
            self.rows = list(csv.DictReader(f))
        self.iterations = int(self.rows[-1]["iteration"])
        self.minutes = sum(float(t) for t in (folder / "cpu").read_text().split()) / 60
        log = (folder / "train.log").read_text()
        self.megabytes = max(int(m) for m in re.findall(r"(\d+) MB$", log, re.M))
        self.moved = max((int(r["frozen_bytes_changed"] or 0) for r in self.rows), default=0)
        self.borders = [int(a["iteration"]) for a, b in zip(self.rows, self.rows[1:]) if a["stage"] != b["stage"]]

    def curve(self):
        return [(int(r["iteration"]), float(r["map50"])) for r in self.rows if r["map50"]]


def judge(yolo, run, data, name):
    """(mAP@.5, mAP@.5:.95), kept beside the run."""
    kept = run.folder / f"eval-{name}.json"
    best = run.folder / "best.weights"
    if not kept.exists() or kept.stat().st_mtime < best.stat().st_mtime:
        command = [yolo, "eval", *data, "--run", str(run.folder), "--format", "json", "-q"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode not in (0, 3):  # 3: some label lines were left out, as in training
            sys.exit(f"experiments_report: {' '.join(command)}: exit status {done.returncode}\n{done.stderr}")
        kept.write_text(done.stdout)
    numbers = json.loads(kept.read_text())
    return numbers["AP50"], numbers["AP"]


def unseen_list(folder):
    for name in "test.txt", "unseen/val.txt":
        if (folder / name).exists():
            return folder / name
    return None


def load(root, yolo):
    runs = [Run(f) for f in sorted(root.glob("*-*-[0-9]*")) if (f / "done").exists()]
    for run in runs:
        folder = root / run.set
        data = ["--data", str(folder / "net/net.data")]
        run.val = judge(yolo, run, data, "val")
        unseen = unseen_list(folder)
        run.unseen = judge(yolo, run, [str(unseen), *data], "unseen") if unseen else (None, None)
    return runs


def spread(values):
    if any(v is None for v in values):
        return "-"
    mean = f"{statistics.mean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3f} to {max(values):.3f})"


def table_of_set(runs):
    print("| | seeds | unseen mAP@.5 | unseen mAP@.5:.95 | validation mAP@.5 | core-minutes | MB |")
    print("|---|---|---|---|---|---|---|")
    for way, text in WAYS.items():
        these = [r for r in runs if r.way == way]
        if these:
            print(f"| {text} (`{way}`) | {len(these)} | {spread([r.unseen[0] for r in these])} | "
                  f"{spread([r.unseen[1] for r in these])} | {spread([r.val[0] for r in these])} | "
                  f"{statistics.median(r.minutes for r in these):.1f} | {max(r.megabytes for r in these)} |")


def table_of_runs(runs):
    print("| run | updates | validation mAP@.5 | mAP@.5:.95 | unseen mAP@.5 | mAP@.5:.95 | core-minutes | MB | frozen bytes changed |")
    print("|---|---|---|---|---|---|---|---|---|")
    for r in runs:
        unseen = ["-" if v is None else f"{v:.3f}" for v in r.unseen]
        print(f"| `{r.folder.name}` | {r.iterations} | {r.val[0]:.3f} | {r.val[1]:.3f} | {unseen[0]} | {unseen[1]} | "
              f"{r.minutes:.1f} | {r.megabytes} | {r.moved} |")


def draw(runs, name, out):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, (curves, dots) = pyplot.subplots(1, 2, figsize=(11, 4), width_ratios=[3, 2], layout="constrained")
    for i, (way, text) in enumerate(WAYS.items()):
        these = [r for r in runs if r.way == way]
        if not these:
            continue
        color = f"C{i}"
        points = {}
        for r in these:
            curve = r.curve()
            curves.plot(*zip(*curve), color=color, alpha=.3, linewidth=.8)
            for iteration, value in curve:
                points.setdefault(iteration, []).append(value)
        common = sorted((k, statistics.mean(v)) for k, v in points.items() if len(v) == len(these))
        curves.plot(*zip(*common), color=color, label=text, linewidth=2)
        for border in these[0].borders:
            curves.axvline(border, color="0.8", linestyle=":", zorder=0)
        judged = [r.val[0] if r.unseen[0] is None else r.unseen[0] for r in these]
        dots.plot(judged, [i] * len(these), "o", color=color, alpha=.6)
        dots.plot(statistics.mean(judged), i, "|", color=color, markersize=18, markeredgewidth=2)
    curves.set(xlabel="updates", ylabel="validation mAP@.5", title=f"{name}: while training", ylim=(0, None))
    curves.legend(fontsize=8)
    curves.grid(alpha=.3)
    dots.set(yticks=range(len(WAYS)), yticklabels=WAYS, xlabel="mAP@.5", title="on unseen pictures")
    dots.set_ylim(len(WAYS) - .5, -.5)
    dots.grid(alpha=.3)
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / f"{name}.png", dpi=90)
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("--yolo", default="./yolo")
    parser.add_argument("--runs", action="store_true")
    parser.add_argument("--charts", type=pathlib.Path)
    args = parser.parse_args()
    runs = load(args.dir, args.yolo)
    if not runs:
        sys.exit(f"experiments_report: {args.dir}: no runs of scripts/experiments.sh")
    for name in sorted({r.set for r in runs}):
        of_set = [r for r in runs if r.set == name]
        print(f"\n## {name}\n")
        (table_of_runs if args.runs else table_of_set)(of_set)
        if args.charts:
            draw(of_set, name, args.charts)


if __name__ == "__main__":
    main()
