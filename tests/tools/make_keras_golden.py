#!/usr/bin/env python3
"""Golden values of training by Keras: [KERAS_BACKEND=jax] make_keras_golden.py [--compare] [NAME...] writes tests/golden/keras/NAME.bin.

Made with keras 3.15.1 on jax 0.10.2, numpy 2.4.6. --compare writes nothing and tells the largest difference from the
files, for another backend (KERAS_BACKEND=torch, tensorflow).

Keras in double precision trains the networks of tests/golden/keras/*.cfg by train_on_batch, in every state of
(trainable, training) that means the same here and there, and in those that by design do not (docs/freezing.md has the
table; tests/unit/test_keras_golden.c the tests). Its dropout decides itself when it drops; which values, dropout_mask.py
tells it.

File, little-endian, 4-byte units after the 8 bytes "YOLOKERA":
  version, batch, steps, floats of an image, of a target, of the parameters, cases;
  images (NCHW), targets, parameters in .weights order before training;
  per case: name (16 bytes); policy (0 auto, 1 eval, 2 frozen, 4: evaluation only), optimiser (0 SGD, 1 Adam), number of
  frozen layers, their numbers; trainable and non-trainable count; momentum or beta1, beta2, eps, decay, what is added to
  the last layer's biases; rate of each step; loss of each step (the mean over the batch that Keras reports); gradient of
  the first step (as Keras has it, of its mean over the batch; 0: none); parameters after training.
"""
import os
import sys

os.environ.setdefault('KERAS_BACKEND', 'jax')
os.environ['JAX_ENABLE_X64'] = '1'
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

import keras
import numpy as np
from keras import layers as kl
from keras.src import backend

from dropout_mask import kept

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden', 'keras')
VERSION, BATCH, STEPS, BN_MOMENTUM, FIRST_SEED = 1, 4, 10, 0.05, 99
AUTO, EVAL, FROZEN, EVALUATION = 0, 1, 2, 4
SGD, ADAM = 0, 1

keras.config.set_floatx('float64')
drawing = dict(step=0, layers={})


def drop(inputs, rate, noise_shape=None, seed=None):
    """In place of Keras's own draw; Keras decides whether it is called."""
    layer = drawing['layers'][id(seed)]
    mask = kept(FIRST_SEED + drawing['step'], layer, rate, inputs.shape[0], inputs.shape[1])
    keep = 1 - float(np.float32(rate))
    return inputs * keras.ops.convert_to_tensor(mask.astype('float64') / keep)


backend.random.dropout = drop


def numbers(values):
    return np.asarray(keras.ops.convert_to_numpy(values))


def to_keras(variable, values):
    """Weights lie [out][in][h][w] in the file, kernels [h][w][in][out] in Keras ([h][w][out][in] for transposed ones:
    the file's are [in][out][h][w]); a dense kernel sees the flattened picture."""
    shape = variable.shape
    if len(shape) == 4:
        return values.reshape(shape[3], shape[2], shape[0], shape[1]).transpose(2, 3, 1, 0)
    if len(shape) == 2:
        h, w, c = variable.picture
        return values.reshape(shape[1], c, h, w).transpose(2, 3, 1, 0).reshape(shape)
    return values


def to_file(variable, values):
    values = numbers(values)
    if values.ndim == 2:
        values = values.reshape(*variable.picture, -1)
    return (values.transpose(3, 2, 0, 1) if values.ndim == 4 else values).ravel()


# Inference also where the model trains. layer(x, training=False) in a functional model does not do that: its own
# call hands its `training` to every layer (the case "said in call").
class StoredNorm(kl.BatchNormalization):
    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=False, mask=mask)


class QuietDropout(kl.Dropout):
    def call(self, inputs, training=False):
        return super().call(inputs, training=False)


class Built:
    """A network: the Keras layers of each of ours, and all variables in the order of the file."""

    def __init__(self, name, state):
        self.of, self.order, self.state, self.last = {}, [], state, None
        shape = {'bn': (8, 8, 2), 'auto': (8, 8, 2), 'dropout': (12,), 'dense': (6,)}[name]
        x = first = keras.Input(shape)
        self.index = 0
        out = getattr(self, name)(x)
        self.model = keras.Model(first, out)
        for layer in state['frozen']:
            for part in self.of[layer]:
                part.trainable = False
        if state['policy'] == FROZEN:
            for parts in self.of.values():
                for part in parts:
                    if isinstance(part, kl.BatchNormalization):
                        part.trainable = False

    def norm(self, x):
        kind = StoredNorm if self.state['policy'] == EVAL and not self.state['said_in_call'] else kl.BatchNormalization
        bn = kind(momentum=1 - BN_MOMENTUM, epsilon=1e-5)
        return bn, bn(x, training=False) if self.state['said_in_call'] else bn(x)

    def unit(self, linear, x, has_norm, act):
        """A layer of ours with weights."""
        picture = x.shape[1:]
        if isinstance(linear, kl.Dense):
            x = kl.Flatten()(x) if len(picture) > 1 else x
        parts = [linear]
        x = linear(x)
        linear.kernel.picture = picture if len(picture) == 3 else (1, 1, picture[0])
        if has_norm:
            bn, x = self.norm(x)
            parts.append(bn)
            norm = [bn.gamma, bn.moving_mean, bn.moving_variance]
            middle = [linear.kernel] + norm if isinstance(linear, kl.Dense) else norm + [linear.kernel]
            self.order += [bn.beta] + middle
        else:
            self.order += [linear.bias, linear.kernel]
            self.last = linear
        self.of[self.index] = parts
        self.index += 1
        return kl.LeakyReLU(negative_slope=.1)(x) if act == 'leaky' else kl.Activation(act)(x) if act else x

    def plain(self, layer, x):
        self.of[self.index] = [layer]
        self.index += 1
        return layer(x)

    def conv(self, x, filters, size, has_norm, act):
        return self.unit(kl.Conv2D(filters, size, padding='same', use_bias=not has_norm), x, has_norm, act)

    def dense_layer(self, x, count, has_norm=False, act=None):
        return self.unit(kl.Dense(count, use_bias=not has_norm), x, has_norm, act)

    def drop(self, x, rate):
        quiet = self.index in self.state['frozen'] and not self.state['drops_frozen']
        layer = (QuietDropout if quiet else kl.Dropout)(rate)
        drawing['layers'][id(layer.seed_generator)] = self.index
        return self.plain(layer, x)

    def bn(self, x):
        x = self.plain(kl.MaxPooling2D(), self.conv(x, 4, 3, True, 'leaky'))
        x = self.conv(self.conv(x, 5, 3, True, 'leaky'), 4, 1, True, 'tanh')
        return kl.Softmax()(self.dense_layer(x, 3))

    def dropout(self, x):
        x = self.drop(self.dense_layer(x, 10, act='relu'), .4)
        x = self.drop(self.dense_layer(x, 8, True, 'relu'), .3)
        return kl.Softmax()(self.dense_layer(x, 3))

    def auto(self, x):
        x = self.plain(kl.MaxPooling2D(), self.conv(x, 5, 3, True, 'leaky'))
        bn, x = self.norm(x)
        self.of[self.index] = [bn]
        self.order += [bn.beta, bn.gamma, bn.moving_mean, bn.moving_variance]
        self.index += 1
        x = self.unit(kl.Conv2DTranspose(4, 4, strides=2, padding='same', use_bias=False), x, True, 'leaky')
        return self.conv(x, 2, 3, False, 'sigmoid')

    def dense(self, x):
        return self.dense_layer(self.dense_layer(self.dense_layer(x, 9, True, 'tanh'), 7, False, 'sigmoid'), 3)


def recording(base):
    class Optimizer(base):
        gradients = None

        def apply(self, grads, trainable_variables=None):
            if self.gradients is None:
                self.gradients = [numbers(g) for g in grads]
            return super().apply(grads, trainable_variables)
    return Optimizer


# What a case says beside its name; rates[step].
USUAL = dict(policy=AUTO, frozen=[], kind=SGD, rate=.05, momentum=.9, beta2=0, eps=0, decay=0, bias=0, steps=STEPS,
             drops_frozen=False, said_in_call=False, late_rate=None, keeps_step=False, scales_eps=False, decouples=False, mse_as_is=False)
BY_ADAM = dict(kind=ADAM, rate=.01, beta2=.999, eps=1e-7, scales_eps=True)


def cases_of(name):
    rows = {
        'bn': [('all', {}), ('bn eval', dict(policy=EVAL)), ('bn frozen', dict(policy=FROZEN)),
               ('prefix', dict(frozen=[0, 1, 2])), ('prefix, bn eval', dict(frozen=[0, 1], policy=EVAL)),
               ('between', dict(frozen=[2])), ('head only', dict(frozen=[0, 1, 2, 3])),
               ('evaluation', dict(policy=EVALUATION)), ('said in call', dict(policy=EVAL, said_in_call=True))],
        'dropout': [('all', {}), ('prefix', dict(frozen=[0, 1])), ('behind it drops', dict(frozen=[0])),
                    ('off', dict(frozen=[1, 3])), ('between', dict(frozen=[2, 3])),
                    ('bn eval', dict(policy=EVAL)), ('evaluation', dict(policy=EVALUATION)),
                    ('frozen drops', dict(frozen=[0, 1], drops_frozen=True))],
        'auto': [('all', BY_ADAM), ('prefix', dict(BY_ADAM, frozen=[0, 1, 2])), ('between', dict(BY_ADAM, frozen=[3])),
                 ('bn eval', dict(BY_ADAM, policy=EVAL)), ('bn frozen', dict(BY_ADAM, policy=FROZEN)),
                 ('evaluation', dict(policy=EVALUATION)), ('saturated', dict(bias=30, rate=0.))],
        'dense': [('all', {}), ('adam', BY_ADAM), ('prefix', dict(frozen=[0])), ('between', dict(frozen=[1])),
                  ('bn frozen', dict(policy=FROZEN)), ('decay', dict(decay=.02)), ('evaluation', dict(policy=EVALUATION)),
                  ('decoupled', dict(decay=.02, decouples=True)), ('eps scaled', dict(BY_ADAM, eps=.05)),
                  ('eps', dict(BY_ADAM, eps=.05, scales_eps=False)), ('rate', dict(late_rate=.005)),
                  ('rate, same step', dict(late_rate=.005, keeps_step=True)), ('mse', dict(mse_as_is=True))],
    }[name]
    return [(label, dict(USUAL, **what)) for label, what in rows]


def run(name, case, images, targets, before):
    drawing['step'] = 0
    built = Built(name, case)
    model, at = built.model, 0
    for v in built.order:
        size = int(np.prod(v.shape))
        v.assign(to_keras(v, before[at:at + size]))
        at += size
    assert at == len(before)
    built.last.bias.assign(numbers(built.last.bias) + case['bias'])
    decay = dict(weight_decay=case['decay']) if case['decouples'] else {}
    if case['kind'] == SGD:
        optimizer = recording(keras.optimizers.SGD)(case['rate'], momentum=case['momentum'], **decay)
    else:
        optimizer = recording(keras.optimizers.Adam)(case['rate'], beta_1=case['momentum'], beta_2=case['beta2'],
                                                     epsilon=case['eps'])
    decayed = [parts[0].kernel for parts in built.of.values()] if case['decay'] and not case['decouples'] else []
    for kernel in decayed:  # weights alone, so that d w stands in the gradient
        kernel.regularizer = keras.regularizers.L2(case['decay'] / 2)
    first_kernels = {id(k): np.array(numbers(k)) for k in decayed}
    x = images.astype('float64')
    if x.ndim == 4:
        x = x.transpose(0, 2, 3, 1)
    loss, y = {'auto': ('binary_crossentropy', x), 'dense': ('mean_squared_error', targets.astype('float64'))}.get(
        name, ('categorical_crossentropy', targets.astype('float64')))
    weight = 1.5 if name == 'dense' and not case['mse_as_is'] else 1.  # three outputs: their mean becomes half their sum
    if name == 'auto':
        weight = 128.  # 8 x 8 x 2: their mean becomes their sum
    model.compile(optimizer, loss, loss_weights=[weight], run_eagerly=True)
    count = lambda weights: sum(int(np.prod(v.shape)) for v in weights)
    counts = count(model.trainable_weights), count(model.non_trainable_weights)
    losses, rates = [], []
    for step in range(STEPS):
        drawing['step'] = step
        rates.append(case['late_rate'] if case['late_rate'] and step >= STEPS // 2 else case['rate'])
        if case['policy'] == EVALUATION:
            losses.append(float(model.test_on_batch(x, y)))
            continue
        if case['scales_eps']:
            optimizer.epsilon = case['eps'] * np.sqrt(1 - case['beta2'] ** (step + 1))
        if case['late_rate'] and step == STEPS // 2:
            optimizer.learning_rate.assign(rates[-1])
            for v in optimizer.momentums if case['keeps_step'] else []:
                v.assign(numbers(v) * (rates[-1] / rates[-2]))
        penalty = case['decay'] / 2 * sum(float(np.sum(np.square(numbers(k)))) for k in decayed)
        losses.append(float(model.train_on_batch(x, y)) - penalty)
    gradients = {}
    if case['policy'] != EVALUATION:
        for v, g in zip(model.trainable_weights, optimizer.gradients):
            gradients[id(v)] = g - case['decay'] * first_kernels[id(v)] if id(v) in first_kernels else g
    gradient = [to_file(v, gradients.get(id(v), np.zeros(v.shape))) for v in built.order]
    return counts, rates, losses, np.concatenate(gradient), np.concatenate([to_file(v, v.value) for v in built.order])


def make(name):
    rng = np.random.RandomState(5)
    shape = {'bn': (2, 8, 8), 'auto': (2, 8, 8), 'dropout': (12,), 'dense': (6,)}[name]
    images = rng.uniform(0, 1, (BATCH,) + shape).astype('<f4')
    targets = {'auto': np.empty((BATCH, 0)), 'dense': rng.normal(0, 1, (BATCH, 3))}.get(name)
    targets = (rng.dirichlet(np.ones(3), BATCH) if targets is None else targets).astype('<f4')
    before = []
    for v in Built(name, USUAL).order:
        low, high = (-.6, .6) if len(v.shape) > 1 else (.7, 1.3) if 'bias' not in v.name else (-.3, .3)
        if name == 'auto' and v.name == 'beta':  # else leaky is linear and the norm behind it takes all gradient away
            low, high = -.5, .5
        before.append(rng.uniform(low, high, int(np.prod(v.shape))).astype('<f4'))
    before = np.concatenate(before)
    cases = cases_of(name)
    head = [VERSION, BATCH, STEPS, images[0].size, targets[0].size, len(before), len(cases)]
    data = b'YOLOKERA' + np.array(head, '<i4').tobytes()
    data += images.tobytes() + targets.tobytes() + before.tobytes()
    for label, case in cases:
        counts, rates, losses, gradient, after = run(name, case, images, targets, before)
        ints = [case['policy'], case['kind'], len(case['frozen']), *case['frozen'], *counts]
        floats = [case['momentum'], case['beta2'], case['eps'], case['decay'], case['bias'], *rates, *losses]
        assert len(label) < 16
        data += label.encode().ljust(16, b'\0') + np.array(ints, '<i4').tobytes()
        data += np.array([*floats, *gradient, *after], '<f4').tobytes()
        print(f'{name}: {label}: {counts[0]} + {counts[1]} values, loss {losses[0]:.6f} to {losses[-1]:.6f}', flush=True)
    return data


names = [a for a in sys.argv[1:] if a != '--compare'] or ['bn', 'dropout', 'auto', 'dense']
for net in names:
    made = make(net)
    path = os.path.join(FOLDER, net + '.bin')
    if '--compare' in sys.argv:
        with open(path, 'rb') as f:
            old = f.read()
        assert len(old) == len(made)
        a, b = (np.frombuffer(v[8:], '<f4') for v in (old, made))
        print(f'{net}: largest difference {np.nanmax(np.abs(a - b)):.2g}')
    else:
        with open(path, 'wb') as f:
            f.write(made)
