#!/usr/bin/env python3
"""Latency of a Darknet network in a program that reads no .cfg:

    peer_latency.py onnxruntime|openvino|ncnn CFG [--imgsz N] [--threads N] [--runs N] [--warmup N]

torch_reference.py builds the network (random weights, batch norm folded) and exports it, up to the inputs of its heads, as ONNX; ncnn
gets it through pnnx. Prints one JSON object: infer_ms (median, min, max), the program's version, and how far its outputs are from PyTorch's,
relative to the largest. Needs torch, numpy, onnx, and the program (ncnn: also pnnx).
"""
import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from torch_reference import Network  # noqa: E402


class Heads(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net
        self.heads = [i for i in range(len(net.kinds)) if net.is_head(i)]

    def forward(self, x):
        outputs = self.net(x)
        return tuple(outputs[i] for i in self.heads)


def build(cfg, imgsz, folder):
    """The module, its input, and the path of its ONNX file."""
    torch.manual_seed(0)
    net = Network(cfg)
    for m in net.modules_by_layer.values():
        nn.init.kaiming_normal_(m.conv.weight)
    heads = Heads(net.fuse()).eval()
    x = torch.rand(1, int(net.options['channels']), imgsz, imgsz)
    path = os.path.join(folder, 'net.onnx')
    names = [f'out{i}' for i in range(len(heads.heads))]
    torch.onnx.export(heads, x, path, opset_version=17, input_names=['in0'], output_names=names, do_constant_folding=True)
    return heads, x, path


def run_onnxruntime(path, threads, *_):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    return onnxruntime.__version__, lambda x: session.run(None, {'in0': x})


def run_openvino(path, threads, *_):
    import openvino
    core = openvino.Core()
    model = core.compile_model(path, 'CPU', {'INFERENCE_NUM_THREADS': threads, 'PERFORMANCE_HINT': 'LATENCY',
                                             'INFERENCE_PRECISION_HINT': 'f32'})
    request = model.create_infer_request()

    def run(x):
        result = request.infer({0: x}, share_inputs=True)
        return [result[o] for o in model.outputs]
    return openvino.__version__.split('-')[0], run


def run_ncnn(path, threads, shape, count):
    import ncnn
    shown = ','.join(map(str, shape))
    pnnx = pathlib.Path(sys.executable).parent / 'pnnx'
    subprocess.run([str(pnnx) if pnnx.exists() else 'pnnx', path, f'inputshape=[{shown}]', 'fp16=0'], check=True, cwd=os.path.dirname(path),
                   stdout=subprocess.DEVNULL)
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    param = pathlib.Path(path).with_suffix('.ncnn.param')
    param.write_text(param.read_text().replace('=-inf', '=-3.4e38'))  # a padding that ncnn cannot read
    if net.load_param(str(param)) != 0 or net.load_model(str(param.with_suffix('.bin'))) != 0:
        sys.exit('peer_latency: ncnn cannot load what pnnx wrote')

    def run(x):
        with net.create_extractor() as e:
            e.input('in0', ncnn.Mat(x[0]))
            return [np.array(e.extract(f'out{i}')[1])[None] for i in range(count)]
    return ncnn.__version__, run


PROGRAMS = {'onnxruntime': run_onnxruntime, 'openvino': run_openvino, 'ncnn': run_ncnn}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('program', choices=PROGRAMS)
    parser.add_argument('cfg')
    parser.add_argument('--imgsz', type=int, default=416)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--runs', type=int, default=7)
    parser.add_argument('--warmup', type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode(), contextlib.redirect_stdout(sys.stderr):
        heads, tensor, path = build(args.cfg, args.imgsz, folder)
        truth = [t.numpy() for t in heads(tensor)]
        x = tensor.numpy()
        version, run = PROGRAMS[args.program](path, args.threads, x.shape, len(truth))
        found = run(x)
        error = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, truth, strict=True))
        times = []
        for i in range(args.warmup + args.runs):
            start = time.perf_counter()
            run(x)
            if i >= args.warmup:
                times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({'infer_ms': {'median': statistics.median(times), 'min': min(times), 'max': max(times)},
                      'version': version, 'error': error}))


if __name__ == '__main__':
    main()
