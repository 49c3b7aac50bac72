#!/usr/bin/env python3
"""Expected parameters of ten optimiser steps, from torch.optim in double precision, as a C header:

    make_optimizer_golden.py > tests/unit/optimizer_golden.h

Three tensors as in tests/unit/test_optimizer.c: 6 weights that decay, 2 biases that do not, and 2 weights of a layer
whose own learning rate is half the network's. Values and gradients are the noise of tests/unit/test.h.
"""
import torch

STEPS, IMAGES, RATE = 10, 4, 0.02
SIZES, DECAYS, SCALES = (6, 2, 2), (True, False, True), (1.0, 1.0, 0.5)
CASES = [  # name, optimiser, momentum, decay, clip
    ("sgd", torch.optim.SGD, 0.9, 0.0, 0.0),
    ("sgd_plain", torch.optim.SGD, 0.0, 0.1, 0.0),
    ("sgd_decay", torch.optim.SGD, 0.949, 0.1, 0.0),
    ("sgd_clip", torch.optim.SGD, 0.9, 0.1, 0.5),
    ("adam", torch.optim.Adam, 0.0, 0.0, 0.0),
    ("adam_decay", torch.optim.Adam, 0.0, 0.1, 0.0),
    ("adam_clip", torch.optim.Adam, 0.0, 0.1, 0.5),
    ("adamw", torch.optim.AdamW, 0.0, 0.3, 0.0),
]


class Noise:
    def __init__(self, state):
        self.state = state

    def draw(self, count):
        values = []
        for _ in range(count):
            self.state = (self.state * 1664525 + 1013904223) & 0xFFFFFFFF
            values.append((self.state >> 8) / 8388608.0 - 1.0)
        return torch.tensor(values, dtype=torch.float64)


def rate_of(step):
    """The rate changes in the middle of the run."""
    return RATE if step < 5 else RATE / 4


def run(kind, momentum, decay, clip):
    noise = Noise(1)
    params = [torch.nn.Parameter(noise.draw(n)) for n in SIZES]
    groups = [{"params": [p], "lr": RATE * s, "weight_decay": decay if d else 0.0}
              for p, s, d in zip(params, SCALES, DECAYS)]
    extra = {"momentum": momentum} if kind is torch.optim.SGD else {"betas": (0.9, 0.99), "eps": 1e-6}
    optimizer = kind(groups, lr=RATE, **extra)
    rows = []
    for step in range(STEPS):
        for p in params:
            p.grad = noise.draw(p.numel()) / IMAGES
        for group, scale in zip(optimizer.param_groups, SCALES):
            group["lr"] = rate_of(step) * scale
        if clip:
            torch.nn.utils.clip_grad_norm_(params, clip)
        optimizer.step()
        rows.append(torch.cat([p.detach() for p in params]).tolist())
    return rows


def main():
    print("/* Made by tests/tools/make_optimizer_golden.py with torch.optim in double precision. */")
    print("#ifndef TESTS_OPTIMIZER_GOLDEN_H\n#define TESTS_OPTIMIZER_GOLDEN_H\n")
    print(f"enum {{ GOLDEN_STEPS = {STEPS}, GOLDEN_IMAGES = {IMAGES}, GOLDEN_VALUES = {sum(SIZES)} }};\n")
    for name, kind, momentum, decay, clip in CASES:
        print(f"static const double golden_{name}[GOLDEN_STEPS][GOLDEN_VALUES] = {{")
        for row in run(kind, momentum, decay, clip):
            half = len(row) // 2
            first, second = (", ".join(f"{v:.10f}" for v in part) for part in (row[:half], row[half:]))
            print(f"    {{{first},\n     {second}}},")
        print("};\n")
    print("#endif")


if __name__ == "__main__":
    main()
