#!/usr/bin/env bash
# timm 1.0.31: freeze(model), then unfreeze(model), is not the model from before: its batch norms are new layers, which train while the model
# is in inference, have forgotten their momentum, and are unknown to the optimiser.
#
# freeze puts a FrozenBatchNorm2d, with buffers only, in the place of each batch norm; unfreeze puts a new BatchNorm2d there, as torch makes them: in
# training mode and with a momentum of .1. So a model on which eval() was called normalises by the batch at the next prediction, and writes over
# its statistics, unless eval() is called again. An optimiser that was made from all parameters, before the freeze or while it lasted, moves
# everything after unfreeze but the norms, although they ask for gradients and get them; nothing is said. One would expect what requires_grad
# gives: the same model, trained on by the same optimiser. What helps: eval() or train() anew, the momentum set anew and a new optimiser.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need timm==1.0.31 torch==2.15.0 torchvision==0.29.2
cat >"$work/stages.py" <<'PY'
import timm
import torch
from timm.utils.model import freeze, unfreeze


def norms(model):
    return [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]


def moved(model, optimiser):
    before = [p.detach().clone() for p in model.parameters()]
    model.train()
    model(x).square().sum().backward()
    optimiser.step()
    of_norms = {id(p) for m in norms(model) for p in m.parameters()}
    count = {True: [0, 0], False: [0, 0]}
    for p, b in zip(model.parameters(), before):
        assert p.requires_grad and p.grad.any()
        count[id(p) in of_norms][0] += not torch.equal(p, b)
        count[id(p) in of_norms][1] += 1
    return f'{count[False][0]} of {count[False][1]} other parameters move, {count[True][0]} of {count[True][1]} of batch norms'


@torch.no_grad()
def look(what):
    layers = norms(model)
    before = [m.running_mean.clone() for m in layers]
    same = torch.allclose(model(x)[:1], model(x[:1]), atol=1e-3)
    written = sum(not torch.equal(m.running_mean, b) for m, b in zip(layers, before))
    print(f'{what}: model.training {model.training}, batch norms in training {sum(m.training for m in layers)} of {len(layers)}, '
          f'momentum {sorted({m.momentum for m in layers})}')
    print(f'    predictions: a picture alone gives {"the same" if same else "something else"}, statistics of {written} are written over')


torch.manual_seed(0)
x = torch.randn(8, 3, 64, 64)
for when in ('before the freeze', 'while frozen'):
    model = timm.create_model('mobilenetv3_small_050', num_classes=2, bn_momentum=.01).eval()
    if when == 'before the freeze':
        look('new')
        optimiser = torch.optim.SGD(model.parameters(), .1)
    freeze(model)
    if when == 'while frozen':
        optimiser = torch.optim.SGD(model.parameters(), .1)
    unfreeze(model)
    if when == 'before the freeze':
        look('frozen and unfrozen')
        model.eval()
        look('eval() again')
    print(f'optimiser made {when}:', moved(model, optimiser))
PY
"$python" "$work/stages.py" >"$work/out.txt" 2>"$work/log" || cat "$work/log" >&2
seen "$work/out.txt" <<'END'
new: model.training False, batch norms in training 0 of 34, momentum [0.01]
    predictions: a picture alone gives the same, statistics of 0 are written over
frozen and unfrozen: model.training False, batch norms in training 34 of 34, momentum [0.1]
    predictions: a picture alone gives something else, statistics of 34 are written over
eval() again: model.training False, batch norms in training 0 of 34, momentum [0.1]
    predictions: a picture alone gives the same, statistics of 0 are written over
optimiser made before the freeze: 74 of 74 other parameters move, 0 of 68 of batch norms
optimiser made while frozen: 74 of 74 other parameters move, 0 of 68 of batch norms
END
