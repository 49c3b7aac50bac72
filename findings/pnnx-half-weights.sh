#!/usr/bin/env bash
# pnnx 20261020: weights are written in half precision unless fp16=0 is said, and the rounding is taken for ncnn's.
#
# A convolution of one weight, 1/3, on an input of 1: .33333 to .33325 in the file, 2.4e-4 of it, whatever ncnn is told to compute in.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need numpy==2.4.6 onnx==1.23.2 ncnn==1.0.20261020
need_pnnx 20261020
cat >"$work/run.py" <<'PY'
import subprocess
import sys

import ncnn
import numpy as np
import onnx
from onnx import helper as h, numpy_helper

weight = numpy_helper.from_array(np.full((1, 1, 1, 1), 1 / 3, np.float32), 'w')
graph = h.make_graph([h.make_node('Conv', ['x', 'w'], ['y'], kernel_shape=[1, 1])], 'g', [h.make_tensor_value_info('x', 1, [1, 1, 2, 2])],
                     [h.make_tensor_value_info('y', 1, [1, 1, 2, 2])], [weight])
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid('', 11)], ir_version=6), 'c.onnx')
for option in ([], ['fp16=0']):
    subprocess.run([sys.argv[1], 'c.onnx', 'inputshape=[1,1,2,2]', *option], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.load_param('c.ncnn.param')
    net.load_model('c.ncnn.bin')
    with net.create_extractor() as e:
        e.input('in0', ncnn.Mat(np.ones((1, 2, 2), np.float32)))
        print(*option or ['default:'], f"{float(np.array(e.extract('out0')[1]).flat[0]):.7f}")
PY
(cd "$work" && "$python" run.py "$pnnx") >"$work/out" || exit 1
seen "$work/out" <<'END'
default: 0.3332520
fp16=0 0.3333333
END
