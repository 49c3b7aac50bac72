#!/usr/bin/env bash
# Keras 3.15.1: `layer.trainable = False` after a first fit, without compile, means three things on three backends.
#
# tensorflow (2.21.0) trains the layer on, silently, although summary() and trainable_weights call it frozen; jax (0.10.2) raises ValueError
# in the next fit; torch (2.15.0) obeys. The guide says to compile again; nothing says that one forgot.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need keras==3.15.1 jax==0.10.2 tensorflow-cpu==2.21.0 torch==2.15.0
cat >"$work/freeze.py" <<'PY'
import keras
import numpy as np

x = np.random.RandomState(0).normal(0, 1, (32, 4)).astype('float32')
layer = keras.layers.Dense(4)
model = keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(1)])
model.compile('sgd', 'mse')
model.fit(x, x[:, :1], verbose=0)
layer.trainable = False
before = keras.ops.convert_to_numpy(layer.kernel).copy()
count = sum(int(np.prod(v.shape)) for v in model.trainable_weights)
try:
    model.fit(x, x[:, :1], verbose=0)
    same = np.array_equal(before, keras.ops.convert_to_numpy(layer.kernel))
    what = 'keeps' if same else 'moves'
except ValueError:
    what = 'ValueError'
print(f'{keras.backend.backend()}: {count} values are called trainable, the frozen kernel: {what}')
PY
for backend in tensorflow jax torch; do
    KERAS_BACKEND=$backend "$python" "$work/freeze.py"
done >"$work/out"
seen "$work/out" <<'END'
tensorflow: 5 values are called trainable, the frozen kernel: moves
jax: 5 values are called trainable, the frozen kernel: ValueError
torch: 5 values are called trainable, the frozen kernel: keeps
END
