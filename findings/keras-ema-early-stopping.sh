#!/usr/bin/env bash
# Keras 3.15.1: EarlyStopping(restore_best_weights=True) throws away what an optimiser with use_ema=True has averaged: fit ends with raw weights.
#
# fit writes the averages into the model after the last epoch (the optimiser's help: nothing is left to do), then calls on_train_end, where
# EarlyStopping puts back what the model held after the best epoch: raw weights. Nothing is said, and the result is that of no averaging at all,
# also where the patience never runs out. val_loss is of raw weights, too, and so is what ModelCheckpoint saves, though fit ends with averages.
#
# SwapEMAWeights makes val_loss one of averages. What is kept then hangs on the order of the callbacks; its help has that for ModelCheckpoint alone:
# - swap_on_epoch=True, before EarlyStopping: the averages that were measured are kept. In the other order, or without swap_on_epoch, averages
#   choose the epoch and its raw weights are kept, which nobody measured.
# - swap_on_epoch=True and EarlyStopping without restore_best_weights: fit ends with raw weights, in both orders, where it stops early. The swap is
#   settled only in the epoch that was to be the last.
# - BackupAndRestore wants the other order: behind the swap it stores averages as weights and weights as averages, and a fit that was interrupted
#   goes on from those to another result.
# The help calls undefined what follows where other callbacks change weights; one of Keras's own that does is restore_best_weights, and the last two
# change none. One would expect averages from use_ema, however fit ends. What helps: BackupAndRestore, SwapEMAWeights(swap_on_epoch=True),
# EarlyStopping(restore_best_weights=True), in this order.
#
# The same on jax (0.10.2), torch (2.15.0) and tensorflow (2.21.0). One weight goes half the way from where it is to 16 each epoch; its average
# keeps three quarters; for val_loss 12.5 is best: with raw weights (8, 12, 14, 15, 15.5...) epoch 2, with averages (8, 9, 10.25, 11.4375, 12.453...)
# epoch 5. Below, stop is EarlyStopping(patience=1, restore_best_weights=True), swap is SwapEMAWeights(swap_on_epoch=True), best is
# ModelCheckpoint(save_best_only=True), backup is BackupAndRestore.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need keras==3.15.1 jax==0.10.2 tensorflow-cpu==2.21.0 torch==2.15.0
cat >"$work/fit.py" <<'PY'
import os
import sys

import keras
import numpy as np
from keras.callbacks import BackupAndRestore, Callback, EarlyStopping, ModelCheckpoint, SwapEMAWeights

os.chdir(sys.argv[1])
epochs = 8
x = np.ones((1, 1), 'float32')
raw, averaged = [8.], [8.]
for _ in range(1, epochs):
    raw.append((raw[-1] + 16) / 2)
    averaged.append(averaged[-1] * .75 + raw[-1] * .25)


class Interrupt(Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3:
            raise InterruptedError


def stop(**other):
    return EarlyStopping(**{'patience': 1, 'restore_best_weights': True, **other})


def swap(swap_on_epoch=True):
    return SwapEMAWeights(swap_on_epoch=swap_on_epoch)


def best():
    return ModelCheckpoint('best.keras', save_best_only=True)


def backup():
    return BackupAndRestore('backup')


def fit(callbacks, use_ema=True):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer='zeros')])
    model.compile(keras.optimizers.SGD(.25, use_ema=use_ema, ema_momentum=.75), 'mse')
    return model, model.fit(x, 16 * x, epochs=epochs, validation_data=(x, 12.5 * x), verbose=0, callbacks=callbacks).history['val_loss']


def weight(model):
    value = float(keras.ops.convert_to_numpy(model.layers[-1].kernel)[0, 0])
    for what, values in ('raw', raw), ('averaged', averaged):
        if value in values:
            return f'{value:.6g}, {what}, epoch {values.index(value) + 1}'
    return f'{value:.6g}, neither'


def measured(losses):
    for what, values in ('raw', raw), ('averaged', averaged):
        if np.allclose(losses, [(v - 12.5) ** 2 for v in values[:len(losses)]], atol=1e-4):
            return what
    return 'neither'


def show(what, *callbacks, use_ema=True):
    model, losses = fit(list(callbacks), use_ema)
    print(f'{what}: {len(losses)} epochs, val_loss: {measured(losses)}; after fit: {weight(model)}')
    if os.path.exists('best.keras'):
        print('    file:', weight(keras.models.load_model('best.keras')))
        os.remove('best.keras')


def resumed(what, callbacks):
    try:
        fit(callbacks() + [Interrupt()])
    except InterruptedError:
        print(f'{what}, interrupted and resumed; after fit:', weight(fit(callbacks())[0]))


show('stop, without EMA', stop(), use_ema=False)
show('no callback')
show('stop', stop())
show('stop(patience=9)', stop(patience=9))
show('stop(restore_best_weights=False)', stop(restore_best_weights=False))
show('best', best())
show('swap', swap())
show('swap, stop', swap(), stop())
show('stop, swap', stop(), swap())
show('swap(swap_on_epoch=False), stop', swap(False), stop())
show('swap, stop(restore_best_weights=False)', swap(), stop(restore_best_weights=False))
show('stop(restore_best_weights=False), swap', stop(restore_best_weights=False), swap())
show('swap, best', swap(), best())
show('best, swap', best(), swap())
show('swap(swap_on_epoch=False), best', swap(False), best())
resumed('backup', lambda: [backup()])
resumed('swap, backup', lambda: [swap(), backup()])
resumed('backup, swap', lambda: [backup(), swap()])
show('backup, swap, stop, best', backup(), swap(), stop(), best())
PY
for backend in jax torch tensorflow; do
    KERAS_BACKEND=$backend "$python" "$work/fit.py" "$work" >"$work/$backend.txt" 2>"$work/log" || cat "$work/log" >&2
done
{
    cat "$work/jax.txt"
    cmp -s "$work/jax.txt" "$work/torch.txt" && echo "torch: as jax"
    cmp -s "$work/jax.txt" "$work/tensorflow.txt" && echo "tensorflow: as jax"
} >"$work/out.txt"
seen "$work/out.txt" <<'END'
stop, without EMA: 3 epochs, val_loss: raw; after fit: 12, raw, epoch 2
no callback: 8 epochs, val_loss: raw; after fit: 14.4294, averaged, epoch 8
stop: 3 epochs, val_loss: raw; after fit: 12, raw, epoch 2
stop(patience=9): 8 epochs, val_loss: raw; after fit: 12, raw, epoch 2
stop(restore_best_weights=False): 3 epochs, val_loss: raw; after fit: 10.25, averaged, epoch 3
best: 8 epochs, val_loss: raw; after fit: 14.4294, averaged, epoch 8
    file: 12, raw, epoch 2
swap: 8 epochs, val_loss: averaged; after fit: 14.4294, averaged, epoch 8
swap, stop: 6 epochs, val_loss: averaged; after fit: 12.4531, averaged, epoch 5
stop, swap: 6 epochs, val_loss: averaged; after fit: 15.5, raw, epoch 5
swap(swap_on_epoch=False), stop: 6 epochs, val_loss: averaged; after fit: 15.5, raw, epoch 5
swap, stop(restore_best_weights=False): 6 epochs, val_loss: averaged; after fit: 15.75, raw, epoch 6
stop(restore_best_weights=False), swap: 6 epochs, val_loss: averaged; after fit: 15.75, raw, epoch 6
swap, best: 8 epochs, val_loss: averaged; after fit: 14.4294, averaged, epoch 8
    file: 12.4531, averaged, epoch 5
best, swap: 8 epochs, val_loss: averaged; after fit: 14.4294, averaged, epoch 8
    file: 15.5, raw, epoch 5
swap(swap_on_epoch=False), best: 8 epochs, val_loss: averaged; after fit: 14.4294, averaged, epoch 8
    file: 15.5, raw, epoch 5
backup, interrupted and resumed; after fit: 14.4294, averaged, epoch 8
swap, backup, interrupted and resumed; after fit: 14.933, neither
backup, swap, interrupted and resumed; after fit: 14.4294, averaged, epoch 8
backup, swap, stop, best: 6 epochs, val_loss: averaged; after fit: 12.4531, averaged, epoch 5
    file: 12.4531, averaged, epoch 5
torch: as jax
tensorflow: as jax
END
