#!/usr/bin/env python3
"""What the trainings of scripts/race.sh had at each time, judged alike.

    scripts/race_report.py DIR [--yolo ./yolo] [--charts OUT]

At each time a run has the best so far by its own measure (the recipe's and Ultralytics': mAP@.5:.95). `yolo eval` judges it on the validation
pictures: our weights, and the boxes that Ultralytics found after that epoch. One table a set: mAP@.5 and mAP@.5:.95 at each
time (means over the seeds), then the points in time that are asked about. --charts needs matplotlib (Debian: python3-matplotlib).
"""
import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys

TIMES = (100, 200, 300, 450, 600, 900, 1200, 1800, 2400)


def judge(yolo, arguments, kept):
    """(mAP@.5, mAP@.5:.95); kept in a file, as a run is judged once."""
    if not kept.exists():
        done = subprocess.run([yolo, "eval", *arguments, "--format", "json", "-q"], capture_output=True, text=True)
        if done.returncode not in (0, 3):  # 3: some label lines were left out, as in training
            sys.exit(f"race_report: {arguments}: {done.stderr}")
        kept.write_text(done.stdout)
    numbers = json.loads(kept.read_text())
    return numbers["AP50"], numbers["AP"]


def curve_of(yolo, run):
    """[(processor seconds, mAP@.5, mAP@.5:.95)] of what the run had from then on."""
    set_folder = run.parent / run.name.split("-")[0]
    with open(run / "curve.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    curve, best = [], -1.0
    for row in rows:
        if "weights" in row:
            weights = run / row["weights"]
            net = run / "net" / "net"
            arguments = ["--data", f"{net}.data", "--cfg", f"{net}.cfg", "--weights", str(weights), "--threads", "1"]
            curve.append((float(row["cpu_s"]), *judge(yolo, arguments, weights.with_suffix(".json"))))
        elif float(row["fitness"]) > best or not curve:
            best = float(row["fitness"])
            found = run / f"epoch-{row['epoch']}.jsonl"
            names = next(set_folder.glob("*.names"))
            arguments = [str(set_folder / "val.txt"), "--names", str(names), "--results", str(found)]
            curve.append((float(row["cpu_s"]), *judge(yolo, arguments, found.with_suffix(".json"))))
    return curve


def at(curve, seconds, which):
    value = 0.0
    for row in curve:
        if row[0] <= seconds:
            value = row[which]
    return value


def mean_at(curves, seconds, which):
    return statistics.mean(at(curve, seconds, which) for curve in curves)


def first_time(curves, value, which, end):
    """The first whole second at which the mean has the value, or None."""
    for seconds in range(int(end) + 1):
        if mean_at(curves, seconds, which) >= value:
            return seconds
    return None


def report(name, by_who, end):
    whos = sorted(by_who, key=lambda who: (who != "ours", who))
    print(f"\n### {name}\n")
    print("| processor s | " + " | ".join(f"{who}: mAP@.5 | mAP@.5:.95" for who in whos) + " |")
    print("|---" * (1 + 2 * len(whos)) + "|")
    for seconds in [t for t in TIMES if t <= end]:
        cells = [f"{mean_at(by_who[who], seconds, which):.3f}" for who in whos for which in (1, 2)]
        print(f"| {seconds} | " + " | ".join(cells) + " |")
    print("\nSeeds: " + ", ".join(f"{who} {len(by_who[who])}" for who in whos) + ".")
    for rival in [who for who in whos if who != "ours" and "ours" in by_who]:
        ours, theirs = by_who["ours"], by_who[rival]
        last = mean_at(theirs, end, 2)
        most = first_time(theirs, 0.6 * last, 2, end)
        ratios = [mean_at(ours, s, 2) / max(mean_at(theirs, s, 2), 1e-9) for s in range(300, max(most, 300) + 1)]
        below = [s for s in range(max(most, 300), int(end) + 1) if mean_at(ours, s, 2) < mean_at(theirs, s, 2)]
        reached = first_time(ours, last, 2, end)
        print(f"{rival} has {last:.3f} at {end:.0f} s and three fifths of that at {most} s. From 300 s until then ours is at least "
              f"{min(ratios):.1f} times it; afterwards below it {f'at {below[0]} to {below[-1]} s' if below else 'never'}; ours has its last "
              f"value {f'at {reached} s' if reached is not None else 'not yet'}.")


def chart(name, by_who, end, to):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4), sharex=True)
    for which, title in ((1, "mAP@.5"), (2, "mAP@.5:.95")):
        for color, who in zip(("C0", "C1", "C2"), sorted(by_who, key=lambda w: (w != "ours", w))):
            for seed, curve in enumerate(by_who[who]):
                x, y = [0] + [row[0] for row in curve] + [end], [0] + [row[which] for row in curve]
                axes[which - 1].step(x, y + y[-1:], where="post", color=color, label=None if seed else who, linewidth=1.2)
        axes[which - 1].set_title(f"{name}, {title}")
        axes[which - 1].set_xlabel("processor seconds")
        axes[which - 1].set_xlim(0, end)
        axes[which - 1].set_ylim(bottom=0)
        axes[which - 1].grid(alpha=0.3)
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(to / f"race-{name}.png", dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--yolo", default="./yolo")
    parser.add_argument("--end", type=float, default=2400)
    parser.add_argument("--charts", type=pathlib.Path)
    args = parser.parse_args()
    sets = {}
    for run in sorted(args.folder.glob("*-*-*")):
        if (run / "curve.csv").exists():
            name, who, _ = run.name.split("-")
            sets.setdefault(name, {}).setdefault(who, []).append(curve_of(args.yolo, run))
    for name, by_who in sets.items():
        report(name, by_who, args.end)
        if args.charts:
            args.charts.mkdir(parents=True, exist_ok=True)
            chart(name, by_who, args.end, args.charts)


if __name__ == "__main__":
    main()
