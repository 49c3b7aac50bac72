"""Epochs of cfg/mnist.cfg's and cfg/mnist-dense.cfg's networks in PyTorch: images a second, one number a line, for scripts/bench_train.sh.

torch_epoch.py NET EPOCHS THREADS [COUNT]: the same layers, batch, optimiser and dropout; COUNT random pictures, which lie in
memory as tensors and are shuffled once an epoch, so no loader, decoding or augmentation counts. One epoch goes before, unmeasured.
"""
import sys
import time

import torch
from torch import nn

BATCH = 64


def conv(inputs, outputs):
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.1, inplace=True),
        nn.MaxPool2d(2, 2, ceil_mode=True),
    ]


def dense(inputs, outputs):
    return [
        nn.Linear(inputs, outputs, bias=False),
        nn.BatchNorm1d(outputs),
        nn.ReLU(inplace=True),
        nn.Dropout(0.3),
    ]


def network(name):
    if name == "mnist":
        layers = conv(1, 16) + conv(16, 32) + conv(32, 64)
        layers += [nn.Dropout(0.25), nn.Flatten(), nn.Linear(64 * 4 * 4, 10)]
    else:
        layers = [nn.Flatten()] + dense(784, 128) + dense(128, 64) + [nn.Linear(64, 10)]
    return nn.Sequential(*layers)


def main():
    name, epochs, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 6000
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    pictures = torch.rand(count, 1, 28, 28)
    classes = torch.randint(0, 10, (count,))
    net = network(name)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-4)
    loss_of = nn.CrossEntropyLoss()
    for epoch in range(epochs + 1):
        begun = time.perf_counter()
        order = torch.randperm(count)
        for first in range(0, count - BATCH + 1, BATCH):
            batch = order[first : first + BATCH]
            optimizer.zero_grad(set_to_none=True)
            loss_of(net(pictures[batch]), classes[batch]).backward()
            optimizer.step()
        seconds = time.perf_counter() - begun
        if epoch > 0:
            print(f"{count // BATCH * BATCH / seconds:.1f}", flush=True)


if __name__ == "__main__":
    main()
