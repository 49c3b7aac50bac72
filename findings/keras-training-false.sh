#!/usr/bin/env bash
# Keras 3.15.1: `base(inputs, training=False)` in a functional model is overruled by fit.
#
# Keras's guide to transfer learning passes training=False where the frozen base is called, "important for fine-tuning": the
# base's batch norm shall stay in inference after `base.trainable = True`. fit calls the outer model with training=True, and that
# is handed to every layer in it, whatever was said when it was built. So once the base is unfrozen it normalises by the
# batches, and its moving statistics, pretrained, are written over: a tenth of the way (momentum .9) at the first batch. Alike on
# jax, tensorflow and torch (run; here on jax). What does keep them: trainable=False on each BatchNormalization.
# Known to its maintainers as keras-team/keras issue 20285.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need keras==3.15.1 jax==0.10.2
KERAS_BACKEND=${KERAS_BACKEND:-jax} "$python" - >"$work/out" <<'PY'
import keras
import numpy as np
from keras import layers

x = np.random.RandomState(0).normal(5, 1, (64, 4)).astype('float32')


def moving_mean(keeps_norm):
    inside = keras.Input((4,))
    norm = layers.BatchNormalization(momentum=.9)
    base = keras.Model(inside, norm(inside))
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1)(base(inputs, training=False)))
    base.trainable = True
    norm.trainable = not keeps_norm
    model.compile('sgd', 'mse')
    model.fit(x, x[:, :1], batch_size=64, verbose=0)
    return float(np.mean(np.array(norm.moving_mean)))


print(f'training=False where the base is called: moving mean 0 -> {moving_mean(False):.1f} (data: mean 5)')
print(f'trainable=False on the batch norm: moving mean 0 -> {moving_mean(True):.1f}')
PY
seen "$work/out" <<'END'
training=False where the base is called: moving mean 0 -> 0.5 (data: mean 5)
trainable=False on the batch norm: moving mean 0 -> 0.0
END
