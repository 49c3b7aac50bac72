#!/usr/bin/env bash
# ONNX Runtime 1.32: quant_pre_process, which its documents ask for before quantize_static, takes a Mish node apart into three.
#
# Its optimiser inlines the operator's function: Softplus, Tanh and Mul come back, which no later step joins again. A network in which Mish follows
# every convolution gets two nodes more for each.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 sympy==1.14.0
cat >"$work/run.py" <<'PY'
import logging

import numpy as np
import onnx
from onnx import helper as h, numpy_helper
from onnxruntime.quantization.shape_inference import quant_pre_process

logging.disable(logging.WARNING)
weight = numpy_helper.from_array(np.ones((2, 1, 3, 3), np.float32), 'w')
nodes = [h.make_node('Conv', ['x', 'w'], ['c'], kernel_shape=[3, 3]), h.make_node('Mish', ['c'], ['y'])]
graph = h.make_graph(nodes, 'g', [h.make_tensor_value_info('x', 1, [1, 1, 8, 8])], [h.make_tensor_value_info('y', 1, [1, 2, 6, 6])], [weight])
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid('', 18)], ir_version=8), 'm.onnx')
quant_pre_process('m.onnx', 'q.onnx')
for path in ('m.onnx', 'q.onnx'):
    print(path + ':', *(n.op_type for n in onnx.load(path).graph.node))
PY
(cd "$work" && "$python" run.py) >"$work/out" 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
seen "$work/out" <<'END'
m.onnx: Conv Mish
q.onnx: Conv Softplus Tanh Mul
END
