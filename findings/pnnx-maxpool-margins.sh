#!/usr/bin/env bash
# pnnx 20261020, ncnn 1.0.20261020: a MaxPool with more padding on one side becomes one that rounds its size up: a row and a column too many.
#
# ONNX rounds down unless ceil_mode says otherwise, and with a window of 4, a stride of 4 and pads [1, 1, 0, 0] 16 pixels give 4. pnnx moves uneven
# pads to an operator of their own and sets ceil_mode=True on what is left: ncnn gives 5, without a word. With equal pads, or a Pad of
# its own in front, sizes are right.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 ncnn==1.0.20261020
need_pnnx 20261020
cat >"$work/run.py" <<'PY'
import subprocess
import sys

import ncnn
import numpy as np
import onnx
import onnxruntime
from onnx import helper as h

pool = h.make_node('MaxPool', ['x'], ['y'], kernel_shape=[4, 4], strides=[4, 4], pads=[1, 1, 0, 0])
graph = h.make_graph([pool], 'g', [h.make_tensor_value_info('x', 1, [1, 1, 16, 16])], [h.make_tensor_value_info('y', 1, [1, 1, 4, 4])])
model = h.make_model(graph, opset_imports=[h.make_opsetid('', 11)], ir_version=6)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, 'p.onnx')
x = np.arange(256, dtype=np.float32).reshape(1, 1, 16, 16)
print('onnxruntime:', onnxruntime.InferenceSession('p.onnx').run(None, {'x': x})[0].shape[2:])
subprocess.run([sys.argv[1], 'p.onnx', 'inputshape=[1,1,16,16]', 'fp16=0'], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
net = ncnn.Net()
net.load_param('p.ncnn.param')
net.load_model('p.ncnn.bin')
with net.create_extractor() as e:
    e.input('in0', ncnn.Mat(x[0]))
    print('ncnn:', np.array(e.extract('out0')[1]).shape[1:])
PY
(cd "$work" && "$python" run.py "$pnnx") >"$work/out" || exit 1
seen "$work/out" <<'END'
onnxruntime: (4, 4)
ncnn: (5, 5)
END
