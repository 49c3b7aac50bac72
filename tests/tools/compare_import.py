#!/usr/bin/env python3
"""Networks of torch and Keras through `yolo import`: their outputs against ours on the same input.

    compare_import.py YOLO FORM PICTURE

FORM: the program that holds the network and the file that it goes through, a name of FORMS. Two networks: a detector's parts (strides, a
divided route, a depthwise window, a last convolution with biases) and cfg/mnist.cfg, whose dense layer follows a map. Prints a line for each;
ends with 1 where a value differs by more than 1e-5 of the largest.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault('KERAS_BACKEND', 'torch')
os.environ.setdefault('PYTHONWARNINGS', 'ignore')
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]


def unit(filters, size, stride=1, groups=1, act='leaky', norm=1):
    return (f'[convolutional]\nbatch_normalize={norm}\nfilters={filters}\nsize={size}\nstride={stride}\npad=1\n'
            f'groups={groups}\nactivation={act}\n')


PARTS = ('[net]\nwidth=32\nheight=32\nchannels=3\n' + unit(16, 3, 2) + unit(32, 3, 2) + '[route]\nlayers=-1\ngroups=2\ngroup_id=1\n' +
         unit(16, 3) + unit(16, 3) + '[route]\nlayers=-1,-2\n' + unit(32, 1) + '[route]\nlayers=1,-1\n[maxpool]\nsize=2\nstride=2\n' +
         unit(64, 3, groups=64, act='relu6') + unit(18, 1, act='linear', norm=0))


# ---- torch ----

class Unit(nn.Sequential):
    def __init__(self, inputs, filters, size, stride=1, groups=1, act=None):
        super().__init__()
        self.conv = nn.Conv2d(inputs, filters, size, stride, size // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(filters)
        self.act = act or nn.LeakyReLU(.1)


class TorchParts(nn.ModuleList):
    """Modules by number: names are all that a .safetensors file has for an order."""

    def __init__(self):
        super().__init__([Unit(3, 16, 3, 2), Unit(16, 32, 3, 2), Unit(16, 16, 3), Unit(16, 16, 3), Unit(32, 32, 1),
                          Unit(64, 64, 3, groups=64, act=nn.ReLU6()), nn.Conv2d(64, 18, 1)])

    def forward(self, x):
        first, second, third, fourth, fifth, wide, last = self
        x = second(first(x))
        a = third(x.chunk(2, 1)[1])
        b = fifth(torch.cat([fourth(a), a], 1))
        return last(wide(nn.functional.max_pool2d(torch.cat([x, b], 1), 2)))


class TorchDigits(nn.Sequential):
    def __init__(self):
        pools = [nn.MaxPool2d(2, ceil_mode=True) for _ in range(3)]
        super().__init__(Unit(1, 16, 3), pools[0], Unit(16, 32, 3), pools[1], Unit(32, 64, 3), pools[2], nn.Flatten(), nn.Linear(1024, 10))


def torch_network(kind):
    torch.manual_seed(1)
    net = {'parts': TorchParts, 'mnist': TorchDigits}[kind]().eval()
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.weight.uniform_(.5, 1.5)
                m.bias.uniform_(-.5, .5)
                m.running_mean.uniform_(-.3, .3)
                m.running_var.uniform_(.2, 1.5)
    return net


def torch_output(net, x):
    with torch.inference_mode():
        return net(torch.from_numpy(x)).numpy()


def save_safetensors(net, path, x):
    import safetensors.torch
    safetensors.torch.save_file(net.state_dict(), path)


def save_misnamed(net, path, x):
    import safetensors.torch
    names = {'0.': 'stem.', '1.': 'down.', '2.': 'a.'}
    state = net.state_dict()
    safetensors.torch.save_file({names.get(k[:2], k[:2]) + k[2:]: v for k, v in state.items()}, path)


def save_npz(net, path, x):
    np.savez(path, **{k: v.numpy() for k, v in net.state_dict().items()})


def save_onnx(net, path, x, **options):
    import contextlib
    import io
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(net, (torch.from_numpy(x),), path, **options)


def save_traced(net, path, x):  # torch's older exporter, batch norm folded
    save_onnx(net, path, x, dynamo=False)


def save_traced_norms(net, path, x):  # the same, each batch norm a node
    save_onnx(net, path, x, dynamo=False, do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE)


def save_dynamo(net, path, x):
    save_onnx(net, path, x, external_data=False)


def save_dynamo_plain(net, path, x):
    save_onnx(net, path, x, external_data=False, optimize=False)


# ---- Keras ----

def keras_unit(x, filters, size, stride=1, depthwise=False, act=None):
    from keras import layers as kl
    if size > 1:  # padding='same' of a stride of 2 would begin elsewhere
        x = kl.ZeroPadding2D(size // 2)(x)
    x = kl.DepthwiseConv2D(size, use_bias=False)(x) if depthwise else kl.Conv2D(filters, size, stride, use_bias=False)(x)
    x = kl.BatchNormalization()(x)
    return kl.ReLU(6)(x) if act else kl.LeakyReLU(negative_slope=.1)(x)


def keras_network(kind):
    import keras
    from keras import layers as kl
    keras.utils.set_random_seed(1)
    if kind == 'parts':
        image = kl.Input((32, 32, 3))
        x = keras_unit(keras_unit(image, 16, 3, 2), 32, 3, 2)
        a = keras_unit(x[..., 16:], 16, 3)
        b = keras_unit(kl.Concatenate()([keras_unit(a, 16, 3), a]), 32, 1)
        x = keras_unit(kl.MaxPooling2D()(kl.Concatenate()([x, b])), 64, 3, depthwise=True, act='relu6')
        x = kl.Conv2D(18, 1)(x)
    else:
        image = x = kl.Input((28, 28, 1))
        for filters in 16, 32, 64:
            x = kl.MaxPooling2D(padding='same')(keras_unit(x, filters, 3))
        x = kl.Dense(10)(kl.Flatten()(x))
    net = keras.Model(image, x)
    draw = np.random.default_rng(1)
    for layer in net.layers:
        if isinstance(layer, kl.BatchNormalization):
            count = layer.gamma.shape[0]
            layer.set_weights([draw.uniform(low, high, count).astype(np.float32) for low, high in ((.5, 1.5), (-.5, .5), (-.3, .3), (.2, 1.5))])
    return net


def keras_output(net, x):
    y = net(x.transpose(0, 2, 3, 1), training=False).detach().numpy()
    return y.transpose(0, 3, 1, 2) if y.ndim == 4 else y


def save_list(net, path, x):
    np.savez(path, *net.get_weights())


def save_named(net, path, x):
    from safetensors.numpy import save_file
    save_file({f'{i:03d}.{v.path}': np.ascontiguousarray(v.numpy()) for i, v in enumerate(net.weights)}, path)


TORCH, KERAS = (torch_network, torch_output), (keras_network, keras_output)
FORMS = {
    'torch-safetensors': (*TORCH, '.safetensors', save_safetensors, []),
    'torch-misnamed': (*TORCH, '.safetensors', save_misnamed, []),
    'torch-npz': (*TORCH, '.npz', save_npz, []),
    'torch-onnx': (*TORCH, '.onnx', save_dynamo, []),
    'torch-onnx-plain': (*TORCH, '.onnx', save_dynamo_plain, []),
    'torch-onnx-traced': (*TORCH, '.onnx', save_traced, []),
    'torch-onnx-traced-norms': (*TORCH, '.onnx', save_traced_norms, []),
    'keras-npz': (*KERAS, '.npz', save_list, ['--eps', '.001']),
    'keras-safetensors': (*KERAS, '.safetensors', save_named, ['--eps', '.001']),
}


def main():
    yolo, form, picture = sys.argv[1:]
    make, output, ending, save, options = FORMS[form]
    failed = False
    for kind in 'parts', 'mnist':
        with tempfile.TemporaryDirectory() as folder:
            cfg = ROOT / 'cfg/mnist.cfg'
            if kind == 'parts':
                cfg = pathlib.Path(folder, 'parts.cfg')
                cfg.write_text(PARTS)
            layer = '007' if kind == 'mnist' else '010'
            net = make(kind)
            path = folder + '/net' + ending
            save(net, path, np.zeros((1, 1, 28, 28) if kind == 'mnist' else (1, 3, 32, 32), np.float32))
            done = subprocess.run([yolo, 'import', path, '--cfg', cfg, '--out', folder + '/net.weights', *options], text=True, capture_output=True)
            if done.returncode != 0:
                sys.exit(f'compare_import: {form}, {kind}: {done.stderr.strip()}')
            subprocess.run([yolo, 'dump', picture, '--out', folder, '--cfg', cfg, '--weights', folder + '/net.weights', '-q'], check=True)
            wanted = output(net, np.load(folder + '/input.npy'))
            found = np.load(f'{folder}/{layer}.npy').reshape(wanted.shape)
            error = float(abs(found - wanted).max() / abs(wanted).max())
            failed |= not error < 1e-5
            print(f'{form}, {kind}: {done.stdout.count(chr(10))} pairs, values differ by {error:.1e} of the largest')
    sys.exit(failed)


if __name__ == '__main__':
    main()
