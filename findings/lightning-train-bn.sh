#!/usr/bin/env bash
# Lightning 2.6.6: train_bn=False does not put batch norm into inference: with BaseFinetuning.freeze it goes on normalising by the batch, with
# BackboneFinetuning it trains.
#
# freeze(modules, train_bn=False) takes the gradients of a batch norm and sets track_running_stats to False, but leaves it in training. So while
# training, the layers above learn from features that are normalised by the batch; the statistics stay as they were, and in validation and ever
# after the features are normalised by those. The loss in training goes to 0, that in validation, of the same batch, does not. The help tells that
# train_bn=True leaves the norms in training; one would expect False to end that. What helps: eval() on what was frozen; fit keeps it so (and warns).
#
# BackboneFinetuning(train_bn=False) freezes with train_bn=True, whatever it was told, and leaves the norms only out of the group of parameters
# that it adds when it unfreezes. In the optimiser that the help asks for, of the parameters that require gradients, they are from the start: False
# gives the same model as True, to the bit; the norms' weights move from the first epoch on, and nothing is said. With an optimiser of the head
# alone (the example in the help of the class) their weights stay with False; their statistics move in every epoch with both. Known there as
# issue 21531.
#
# On torch 2.15.0. The norm's statistics are mean 4 and variance 16; the only batch is 4 and 12, so by its own it becomes -1 and 1.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need lightning==2.6.6 torch==2.15.0
cat >"$work/fit.py" <<'PY'
import sys

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BackboneFinetuning, BaseFinetuning, Callback
from torch import nn

data = torch.utils.data.DataLoader([(torch.tensor([4.]), torch.tensor([-1.])), (torch.tensor([12.]), torch.tensor([1.]))], 2)


class Model(LightningModule):
    def __init__(self, rate, head_only):
        super().__init__()
        self.rate, self.head_only = rate, head_only
        norm = nn.BatchNorm1d(1, eps=1e-12)
        norm.running_mean.fill_(4)
        norm.running_var.fill_(16)
        linear = nn.Linear(1, 1, bias=False)
        nn.init.ones_(linear.weight)
        self.backbone = nn.Sequential(norm, linear)
        self.head = nn.Linear(1, 1)
        nn.init.constant_(self.head.weight, .25)
        nn.init.constant_(self.head.bias, .5)
        self.sees = {}

    def loss(self, what, batch):
        features = self.backbone(batch[0])
        loss = (self.head(features) - batch[1]).square().mean()
        self.sees[what] = f'{[round(v, 3) + 0. for v in features.flatten().tolist()]}, loss {loss.item():.3f}'
        return loss

    def training_step(self, batch, index):
        return self.loss('training', batch)

    def validation_step(self, batch, index):
        self.loss('validation', batch)

    def configure_optimizers(self):
        of = self.head if self.head_only else self
        return torch.optim.SGD([p for p in of.parameters() if p.requires_grad], self.rate)


class Freeze(BaseFinetuning):
    def __init__(self, inference):
        super().__init__()
        self.inference = inference

    def freeze_before_training(self, model):
        self.freeze(model.backbone, train_bn=False)
        if self.inference:
            model.backbone.eval()

    def finetune_function(self, model, epoch, optimizer):
        pass


class Moves(Callback):
    def __init__(self):
        self.epochs = []

    def state(self, model):
        norm, linear = model.backbone
        of = {"the norm's weight": norm.weight, 'its statistics': torch.cat([norm.running_mean, norm.running_var]), 'the linear layer': linear.weight}
        return {what: value.detach().clone() for what, value in of.items()}

    def on_train_epoch_start(self, trainer, model):
        self.before = self.state(model)

    def on_train_epoch_end(self, trainer, model):
        after = self.state(model)
        self.epochs.append([what for what in after if not torch.equal(after[what], self.before[what])])

    def told(self, first=0, end=None):
        epochs = self.epochs[first:end]
        assert all(e == epochs[0] for e in epochs)
        return ', '.join(epochs[0]) or 'nothing'


def fit(callback, epochs, rate, head_only=False):
    model, moves = Model(rate, head_only), Moves()
    Trainer(max_epochs=epochs, accelerator='cpu', logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            num_sanity_val_steps=0, default_root_dir=sys.argv[1], callbacks=[callback, moves]).fit(model, data, data)
    return model, moves


for inference in False, True:
    model, moves = fit(Freeze(inference), 100, .25)
    print(f'freeze(train_bn=False){" and eval()" if inference else ""}, 100 epochs:')
    for what, sees in model.sees.items():
        print(f'    the head sees in {what} {sees}')
    print(f'    in the backbone moves: {moves.told()}')
for head_only in False, True:
    print(f'optimiser of {"the head" if head_only else "what requires gradients"}:')
    ends = []
    for train_bn in True, False:
        model, moves = fit(BackboneFinetuning(2, train_bn=train_bn), 4, .0625, head_only)
        print(f'    BackboneFinetuning(train_bn={train_bn}) moves, frozen: {moves.told(0, 2)}; unfrozen: {moves.told(2)}')
        ends.append(model.state_dict())
    same = all(torch.equal(ends[0][k], ends[1][k]) for k in ends[0])
    print(f'    the models are {"the same" if same else "not the same"}')
PY
"$python" "$work/fit.py" "$work" >"$work/out.txt" 2>"$work/log" || cat "$work/log" >&2
seen "$work/out.txt" <<'END'
freeze(train_bn=False), 100 epochs:
    the head sees in training [-1.0, 1.0], loss 0.000
    the head sees in validation [0.0, 2.0], loss 1.000
    in the backbone moves: nothing
freeze(train_bn=False) and eval(), 100 epochs:
    the head sees in training [0.0, 2.0], loss 0.000
    the head sees in validation [0.0, 2.0], loss 0.000
    in the backbone moves: nothing
optimiser of what requires gradients:
    BackboneFinetuning(train_bn=True) moves, frozen: the norm's weight, its statistics; unfrozen: the norm's weight, its statistics, the linear layer
    BackboneFinetuning(train_bn=False) moves, frozen: the norm's weight, its statistics; unfrozen: the norm's weight, its statistics, the linear layer
    the models are the same
optimiser of the head:
    BackboneFinetuning(train_bn=True) moves, frozen: its statistics; unfrozen: the norm's weight, its statistics, the linear layer
    BackboneFinetuning(train_bn=False) moves, frozen: its statistics; unfrozen: its statistics, the linear layer
    the models are not the same
END
