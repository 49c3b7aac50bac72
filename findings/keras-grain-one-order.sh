#!/usr/bin/env bash
# Keras 3.15.1, grain 0.2.18: image_dataset_from_directory(format="grain") shuffles once: every epoch of fit gets the same batches in the same order.
#
# With format="tf" the same call draws a new order for each epoch. Grain draws one for each round of its own repeat(); Keras shuffles without that, and
# fit starts the set from the top. So pictures that met in a batch at first meet there to the end, in batch norm as well. And after each epoch
# fit warns that the data ran out and training is interrupted, which it is not. One would expect shuffle=True to mean the same in both formats.
# Alike on jax, tensorflow (2.21.0) and torch (2.15.0) (run; here on jax).
#
# The rate is 0, so a batch's loss depends on its pictures alone.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need keras==3.15.1 jax==0.10.2 grain==0.2.18 tensorflow-cpu==2.21.0 pillow==13.0.0
cat >"$work/fit.py" <<'PY'
import os
import sys
import warnings

import grain
import keras
from PIL import Image

os.chdir(sys.argv[1])
for i in range(12):
    os.makedirs(f'set/{"ab"[i % 2]}', exist_ok=True)
    Image.new('L', (8, 8), 2 ** (i % 8) + i).save(f'set/{"ab"[i % 2]}/{i}.png')


class Losses(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append([])

    def on_train_batch_end(self, batch, logs=None):
        self.epochs[-1].append(round(float(logs['loss']), 3))


def orders(of):
    return 'one order' if len({tuple(o) for o in of}) == 1 else 'several orders'


for form in ('tf', 'grain'):
    pictures = keras.utils.image_dataset_from_directory('set', color_mode='grayscale', image_size=(8, 8), batch_size=4, shuffle=True, seed=1,
                                                        format=form, verbose=False)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1, kernel_initializer='ones')])
    model.compile(keras.optimizers.SGD(0.), 'mae')
    losses = Losses()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        model.fit(pictures, epochs=4, verbose=0, callbacks=[losses])
    interrupted = sum('interrupting training' in str(w.message) for w in said)
    print(f'format="{form}": {len(losses.epochs)} epochs of {len(losses.epochs[-1])} batches, {orders(losses.epochs)}; '
          f'"interrupting training" is said {interrupted} times')
drawn = list(grain.MapDataset.source(range(12)).shuffle(seed=1).repeat(4))
print(f'grain, shuffle and repeat(4): {orders(drawn[k:k + 12] for k in range(0, 48, 12))}')
PY
KERAS_BACKEND=${KERAS_BACKEND:-jax} "$python" "$work/fit.py" "$work" >"$work/out.txt" 2>"$work/log" || cat "$work/log" >&2
seen "$work/out.txt" <<'END'
format="tf": 4 epochs of 3 batches, several orders; "interrupting training" is said 0 times
format="grain": 4 epochs of 3 batches, one order; "interrupting training" is said 4 times
grain, shuffle and repeat(4): several orders
END
