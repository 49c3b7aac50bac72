#!/usr/bin/env bash
# Batch norm's stored variance is over n in Keras 3.15.1, flax 0.12.8 and ONNX's reference (1.23.2), over n - 1 in PyTorch 2.15.0.
#
# All of them normalise by the variance over n while they train; what they store for inference differs by n / (n - 1): nothing for
# pictures, a factor of 2 for a dense layer and two rows. So a network that is carried over with its statistics and trained on, or
# compared, is not the same; none of the formats says which it is.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need keras==3.15.1 jax==0.10.2 flax==0.12.8 onnx==1.23.2 torch==2.15.0
KERAS_BACKEND=jax "$python" - >"$work/out" <<'PY'
import numpy as np

x = np.array([[0.], [2.]], 'float32')  # variance 1 over n, 2 over n - 1

import keras

norm = keras.layers.BatchNormalization(momentum=0.)
norm(x, training=True)
print(f'keras {float(norm.moving_variance[0]):.0f}')

import flax.linen as nn
import jax

model = nn.BatchNorm(momentum=0., use_running_average=False)
_, state = model.apply(model.init(jax.random.key(0), x), x, mutable=['batch_stats'])
print(f"flax {float(state['batch_stats']['var'][0]):.0f}")

import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

node = helper.make_node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], ['y', 'rm', 'rv'], training_mode=1, momentum=0.)
value = lambda name, *shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
graph = helper.make_graph([node], 'g', [value('x', 2, 1)] + [value(n, 1) for n in 'sbmv'],
                          [value('y', 2, 1), value('rm', 1), value('rv', 1)])
one = np.ones(1, 'float32')
out = ReferenceEvaluator(helper.make_model(graph)).run(None, dict(x=x, s=one, b=one, m=one, v=one))
print(f'onnx {float(out[2][0]):.0f}')

import torch

norm = torch.nn.BatchNorm1d(1, momentum=1.).train()
norm(torch.from_numpy(x))
print(f'torch {norm.running_var.item():.0f}')
PY
seen "$work/out" <<'END'
keras 1
flax 1
onnx 1
torch 2
END
