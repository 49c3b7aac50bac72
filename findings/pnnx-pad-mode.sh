#!/usr/bin/env bash
# pnnx 20261020: a Pad node that leaves out `mode` stays an operator that ncnn does not know; with mode="constant", its default, it is converted.
#
# The specification of ONNX gives mode the default "constant", so both nodes mean the same. Only what pnnx writes is looked at.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need numpy==2.4.6 onnx==1.23.2
need_pnnx 20261020
cat >"$work/run.py" <<'PY'
import pathlib
import subprocess
import sys

import numpy as np
import onnx
from onnx import helper as h, numpy_helper

constants = [numpy_helper.from_array(np.array([0, 0, 0, 0, 0, 0, 1, 1]), 'pads'), numpy_helper.from_array(np.float32(-1), 'value')]
for mode in ({}, {'mode': 'constant'}):
    nodes = [h.make_node('Pad', ['x', 'pads', 'value'], ['p'], **mode), h.make_node('Relu', ['p'], ['y'])]
    graph = h.make_graph(nodes, 'g', [h.make_tensor_value_info('x', 1, [1, 2, 4, 4])], [h.make_tensor_value_info('y', 1, [1, 2, 5, 5])], constants)
    model = h.make_model(graph, opset_imports=[h.make_opsetid('', 11)], ir_version=6)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, 'p.onnx')
    subprocess.run([sys.argv[1], 'p.onnx', 'inputshape=[1,2,4,4]'], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kinds = [line.split()[0] for line in pathlib.Path('p.ncnn.param').read_text().splitlines()[2:]]
    print(mode.get('mode', 'left out') + ':', *kinds)
PY
(cd "$work" && "$python" run.py "$pnnx") >"$work/out" || exit 1
seen "$work/out" <<'END'
left out: Input Pad ReLU
constant: Input Padding ReLU
END
