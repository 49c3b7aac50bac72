#!/usr/bin/env bash
# Lightning 2.6.6: whether the optimiser has a parameter already is asked by value, so what unfreeze_and_add_param_group unfreezes is never trained
# where it equals, at that moment, any other parameter in the optimiser.
#
# Such a parameter requires gradients and gets them, but comes into no group of the optimiser: it stays for ever as it was, and its gradients are
# not even set to 0, but add up. It takes copies, or what is new and of one width: the ones and zeros of norms, biases of 0 and the like. Those
# within one call are no trouble, nor is what has learnt in the meantime. What is hit:
# - stages that are unfrozen in one epoch by a call each, as different rates ask for: of new norms, only those of the first call learn;
# - two towers that are copies of one pretrained network: the second does not learn at all, not one weight. All of it does when it is unfrozen
#   together with the first, or an epoch later, or had every parameter been a single bit more;
# - BackboneFinetuning(0), with the optimiser of the head in the help of the class: the norm of a new backbone, where the head has one of that width.
#
# What is said is a warning for each such call, of which Python by default shows one. It names no parameter, tells that parameters "to be frozen" are in
# the optimiser already, which they are not, and hints at an optimiser of what requires gradients, which in the first two cases it is. With that
# one and BackboneFinetuning, which trains the norms while the rest is frozen, the same warning comes when all is well.
#
# One would expect that the parameter itself is looked for, as torch's add_param_group does. What helps: one call, where one rate will do, or
# make_trainable and the optimiser's own add_param_group, as below. To redefine filter_on_optimizer in a subclass does not help: the base calls
# its own.
#
# On torch 2.15.0. "Everything" is the convolutions and the norms' weights and biases.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need lightning==2.6.6 torch==2.15.0
cat >"$work/fit.py" <<'PY'
import copy
import functools
import sys
import warnings

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BackboneFinetuning, BaseFinetuning
from torch import nn

torch.manual_seed(0)
pictures = torch.randn(8, 4, 6, 6)
data = torch.utils.data.DataLoader(list(zip(pictures, torch.randn(8, 1))), 8)
EPOCHS = 6


def stage():
    return nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.LeakyReLU())


def add(total, gradient):
    total += gradient


class Stages(LightningModule):
    def __init__(self, count=3, head_only=False):
        super().__init__()
        torch.manual_seed(1)
        self.head_only, self.gradients = head_only, {}
        self.backbone = nn.Sequential(*(stage() for _ in range(count)))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(144, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))

    def forward(self, x):
        return self.head(self.backbone(x))

    def on_train_epoch_start(self):
        for name, p in self.named_parameters():
            if p.requires_grad and name not in self.gradients:
                self.gradients[name] = torch.zeros_like(p)
                p.register_hook(functools.partial(add, self.gradients[name]))

    def training_step(self, batch, index):
        return (self(batch[0]) - batch[1]).square().mean()

    def configure_optimizers(self):
        of = self.head if self.head_only else self
        return torch.optim.SGD(filter(lambda p: p.requires_grad, of.parameters()), .1)


class Towers(Stages):
    """Two towers, which begin as copies of one pretrained network; their features are subtracted."""

    def __init__(self, bit=False):
        super().__init__()
        tower = nn.Sequential(stage(), stage())
        for p in tower.parameters():  # pretrained: no ones and zeros
            nn.init.normal_(p, std=.5)
        self.backbone = nn.ModuleList([tower, copy.deepcopy(tower)])
        if bit:
            with torch.no_grad():
                for p in self.backbone[1].parameters():
                    p.copy_(p.nextafter(torch.tensor(torch.inf)))

    def forward(self, x):
        return self.head(self.backbone[0](x) - self.backbone[1](x.flip(3)))


class Unfreeze(BaseFinetuning):
    """calls: for an epoch, what each call unfreezes."""

    def __init__(self, calls, by_hand=False):
        super().__init__()
        self.calls, self.by_hand = calls, by_hand

    def freeze_before_training(self, model):
        self.freeze(model.backbone, train_bn=False)

    def finetune_function(self, model, epoch, optimizer):
        for n, parts in enumerate(self.calls.get(epoch, ())):
            rate = .1 / 2 ** n
            modules = [model.backbone[i] for i in parts]
            if self.by_hand:
                self.make_trainable(modules)
                optimizer.add_param_group({'params': list(self.filter_params(modules)), 'lr': rate})
            else:
                self.unfreeze_and_add_param_group(modules, optimizer, lr=rate)


class Redefined(Unfreeze):
    @staticmethod
    def filter_on_optimizer(optimizer, params):
        has = {id(p) for group in optimizer.param_groups for p in group['params']}
        return [p for p in params if id(p) not in has]


def fit(what, model, callback):
    before = copy.deepcopy(dict(model.named_parameters()))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        Trainer(max_epochs=EPOCHS, accelerator='cpu', logger=False, enable_checkpointing=False, enable_progress_bar=False,
                enable_model_summary=False, default_root_dir=sys.argv[1], callbacks=[callback]).fit(model, data)
    has = {id(p) for group in model.optimizers().param_groups for p in group['params']}
    said = [str(w.message) for w in caught if 'to be frozen already exist' in str(w.message)]
    assert not any(name in text for text in said for name in before)
    assert all('filter(lambda p: p.requires_grad, self.parameters())' in text for text in said)
    print(f'{what}: {len(said)} warning{"s" * (len(said) != 1)}')
    for i, part in enumerate(model.backbone):
        moves = {}
        for name, p in part.named_parameters(f'backbone.{i}'):
            assert p.requires_grad and p.grad.any() and p.grad.isfinite().all()
            moves[name] = not torch.equal(p, before[name])
            assert moves[name] == (id(p) in has)
            assert moves[name] != torch.allclose(p.grad, model.gradients[name])  # their sum, or the last
        kinds = {}
        for name, m in moves.items():
            kinds.setdefault(m, []).append({4: 'convolution'}.get(before[name].ndim, "norm's " + name.split('.')[-1]))
        told = {m: ', '.join(sorted(set(k), key=k.index)) if len(kinds) > 1 else 'everything' for m, k in kinds.items()}
        print(f'    {"tower" if isinstance(model, Towers) else "stage"} {i + 1}', '; '.join(f'{"moves" if m else "stays"}: {told[m]}' for m in told))


each, one = {2: [[2], [1], [0]]}, {2: [[2, 1, 0]]}
fit('new stages, a call each', Stages(), Unfreeze(each))
fit('one call', Stages(), Unfreeze(one))
model = Stages()
with torch.no_grad():
    model.backbone[0][1].weight[3] += torch.finfo(torch.float32).eps
fit('a call each, one of the ones of stage 1 a single bit more', model, Unfreeze(each))
fit('a call each, filter_on_optimizer redefined', Stages(), Redefined(each))
fit('a call each to add_param_group', Stages(), Unfreeze(each, by_hand=True))
fit('copied towers, a call each', Towers(), Unfreeze({2: [[0], [1]]}))
fit('one call', Towers(), Unfreeze({2: [[0, 1]]}))
fit('a call each, the second an epoch later', Towers(), Unfreeze({2: [[0]], 3: [[1]]}))
fit('a call each, tower 2 a single bit more', Towers(bit=True), Unfreeze({2: [[0], [1]]}))
fit('BackboneFinetuning(0), optimiser of the head', Stages(1, head_only=True), BackboneFinetuning(0))
fit('BackboneFinetuning(2), optimiser of the head', Stages(1, head_only=True), BackboneFinetuning(2))
fit('BackboneFinetuning(2), optimiser of what requires gradients', Stages(1), BackboneFinetuning(2))
PY
"$python" "$work/fit.py" "$work" >"$work/out.txt" 2>"$work/log" || cat "$work/log" >&2
seen "$work/out.txt" <<'END'
new stages, a call each: 2 warnings
    stage 1 moves: convolution; stays: norm's weight, norm's bias
    stage 2 moves: convolution; stays: norm's weight, norm's bias
    stage 3 moves: everything
one call: 0 warnings
    stage 1 moves: everything
    stage 2 moves: everything
    stage 3 moves: everything
a call each, one of the ones of stage 1 a single bit more: 2 warnings
    stage 1 moves: convolution, norm's weight; stays: norm's bias
    stage 2 moves: convolution; stays: norm's weight, norm's bias
    stage 3 moves: everything
a call each, filter_on_optimizer redefined: 2 warnings
    stage 1 moves: convolution; stays: norm's weight, norm's bias
    stage 2 moves: convolution; stays: norm's weight, norm's bias
    stage 3 moves: everything
a call each to add_param_group: 0 warnings
    stage 1 moves: everything
    stage 2 moves: everything
    stage 3 moves: everything
copied towers, a call each: 1 warning
    tower 1 moves: everything
    tower 2 stays: everything
one call: 0 warnings
    tower 1 moves: everything
    tower 2 moves: everything
a call each, the second an epoch later: 0 warnings
    tower 1 moves: everything
    tower 2 moves: everything
a call each, tower 2 a single bit more: 0 warnings
    tower 1 moves: everything
    tower 2 moves: everything
BackboneFinetuning(0), optimiser of the head: 1 warning
    stage 1 moves: convolution; stays: norm's weight, norm's bias
BackboneFinetuning(2), optimiser of the head: 0 warnings
    stage 1 moves: everything
BackboneFinetuning(2), optimiser of what requires gradients: 1 warning
    stage 1 moves: everything
END
