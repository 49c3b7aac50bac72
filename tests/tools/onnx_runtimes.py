"""Other programs that run an ONNX file: open_NAME(path, shape, threads) gives (version, run), run(x) the outputs in the file's order as arrays.

onnxruntime, openvino, openvino_as_written, opencv (5, by its dnn module) and ncnn, which gets the file through pnnx.
"""
import importlib.util
import os
import pathlib
import re
import subprocess

import numpy as np


def open_onnxruntime(path, shape, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    return onnxruntime.__version__, lambda x: session.run(None, {session.get_inputs()[0].name: x})


def open_openvino(path, shape, threads, more=None):
    import openvino
    model = openvino.Core().compile_model(path, 'CPU', {'INFERENCE_NUM_THREADS': threads, 'PERFORMANCE_HINT': 'LATENCY',
                                                        'INFERENCE_PRECISION_HINT': 'f32', **(more or {})})
    request = model.create_infer_request()

    def run(x):
        result = request.infer({0: x}, share_inputs=True)
        return [result[o] for o in model.outputs]
    return openvino.__version__.split('-')[0], run


def open_openvino_as_written(path, shape, threads):
    """Without the passes that make QuantizeLinear and DequantizeLinear into its own int8 arithmetic."""
    return open_openvino(path, shape, threads, {'LP_TRANSFORMS_MODE': 'NO'})


def open_opencv(path, shape, threads):
    import cv2
    cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromONNX(path)
    names = net.getUnconnectedOutLayersNames()

    def run(x):
        net.setInput(x)
        return list(net.forward(names))
    return cv2.__version__, run


def open_ncnn(path, shape, threads):
    import ncnn
    shown = ','.join(map(str, shape))
    # The program itself: its Python module wants torch. Without fp16=0 it writes weights in half precision.
    pnnx = pathlib.Path(importlib.util.find_spec('pnnx').submodule_search_locations[0], 'pnnx')
    subprocess.run([pnnx, path, f'inputshape=[{shown}]', 'fp16=0'], check=True, cwd=os.path.dirname(path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    param = pathlib.Path(path).with_suffix('.ncnn.param')
    if net.load_param(str(param)) != 0 or net.load_model(str(param.with_suffix('.bin'))) != 0:
        raise RuntimeError('ncnn cannot load what pnnx wrote')
    count = len(re.findall(r'\bout\d+\b', param.read_text()))

    def run(x):
        outputs = []
        for picture in x:
            with net.create_extractor() as e:
                e.input('in0', ncnn.Mat(picture))
                outputs.append([np.array(e.extract(f'out{i}')[1])[None] for i in range(count)])
        return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]
    return ncnn.__version__, run


RUNTIMES = {name[5:]: function for name, function in list(globals().items()) if name.startswith('open_')}
