#!/usr/bin/env bash
# torch 2.15.0 with onnx 1.23.2, onnxscript 0.7.2: torch.onnx.export(..., opset_version=13) succeeds and writes a file of opset 18.
#
# Its exporter knows operators from opset 18 on and converts what it wrote to the one that was asked for. Where that conversion fails, a message
# with a traceback is logged, the file stays as it is, and the call returns as if all were well. So it is for a convolution with a batch norm, as
# any detector has. One would expect an exception, or the opset that was asked for. The older exporter (dynamo=False) writes 13.
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"
need torch==2.15.0 onnx==1.23.2 onnxscript==0.7.2
cd "$work" || exit 1
"$python" - >seen 2>log <<'PY' || { tail -n 3 log; exit 1; }
import sys

import onnx
import torch
from torch import nn

net = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.LeakyReLU(.1)).eval()
for name, dynamo in ('the exporter', True), ('dynamo=False', False):
    for asked in 13, 18:
        out, sys.stdout = sys.stdout, sys.stderr
        torch.onnx.export(net, (torch.zeros(1, 3, 16, 16),), 'net.onnx', opset_version=asked, dynamo=dynamo)
        sys.stdout = out
        print(f'{name}: opset_version={asked} gives', *(o.version for o in onnx.load('net.onnx', load_external_data=False).opset_import if not o.domain))
PY
seen seen <<'OUT'
the exporter: opset_version=13 gives 18
the exporter: opset_version=18 gives 18
dynamo=False: opset_version=13 gives 13
dynamo=False: opset_version=18 gives 18
OUT
