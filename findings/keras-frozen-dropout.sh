#!/usr/bin/env bash
# Keras 3.15.1: a frozen block of batch norm and dropout is half in inference: the norm is, the dropout drops.
#
# trainable=False puts BatchNormalization into inference, and Dropout not: what a frozen base hands to the layers above differs from
# pass to pass, and training=False where the base is called does not help either (keras-training-false.sh). So features of a
# frozen base that were computed once (predict) are not those that fit sees.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need keras==3.15.1 jax==0.10.2
KERAS_BACKEND=${KERAS_BACKEND:-jax} "$python" - >"$work/out" <<'PY'
import keras
import numpy as np
from keras import layers

inside = keras.Input((100,))
base = keras.Model(inside, layers.Dropout(.5)(layers.BatchNormalization()(inside)))
base.trainable = False
inputs = keras.Input((100,))
model = keras.Model(inputs, base(inputs, training=False))
x = np.random.RandomState(0).normal(5, 1, (64, 100)).astype('float32')
trained = keras.ops.convert_to_numpy(model(x, training=True))  # as fit calls it
stored = keras.ops.convert_to_numpy(model(x, training=False))
kept = trained != 0
print(f'normalised as in inference: {np.allclose(trained[kept], 2 * stored[kept], rtol=1e-4)}')
print(f'dropped: {"about half" if .45 < 1 - kept.mean() < .55 else 1 - kept.mean()}')
PY
seen "$work/out" <<'END'
normalised as in inference: True
dropped: about half
END
